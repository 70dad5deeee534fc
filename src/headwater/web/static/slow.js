// An act that takes a while: the page stays, and goes on to say how far it is, until the act is done.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.slow) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  button.textContent = form.dataset.slow;
  try {
    const answer = await fetch(form.action, { method: "POST" });
    if (answer.redirected) { location.assign(answer.url); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceChildren(...fresh.querySelector("main").childNodes);
  } catch { location.reload(); }
});
