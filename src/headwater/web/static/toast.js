// What was done is said once: a reload, or a link that is sent, does not say it again.
const toast = document.querySelector(".toast");
const address = new URL(location.href);
for (const name of ["saved", "done"]) address.searchParams.delete(name);
history.replaceState(history.state, "", address);
function close() { toast.remove(); document.getElementById("main").focus({ preventScroll: true }); }
document.getElementById("toast-close").addEventListener("click", (event) => { event.preventDefault(); close(); });
toast.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
