// A login link carries its secret behind the #: take it out of the address, then hand it in.
const secret = location.hash.slice(1);
const form = document.querySelector("form.by-link");
if (secret && form) {
  history.replaceState(null, "", location.pathname);
  form.elements.link.value = secret;
  form.requestSubmit();
}
