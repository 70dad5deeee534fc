// Turns absolute times into relative ones. The absolute one stays on hover, and without scripts.
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function sayAge(seconds) {
  if (Math.abs(seconds) < 5) return "now";
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  const count = Math.floor(Math.abs(seconds) / size);
  return seconds > 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

function saySpan(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

// The absolute time as the viewer's clock shows it, with its zone; UTC beside it where that is another.
const local = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });
const isUtc = new Date().getTimezoneOffset() === 0;

function placeInZone(root) {
  if (isUtc) return;
  for (const element of root.querySelectorAll("time[datetime][title]:not([data-zoned])")) {
    const time = new Date(element.dateTime), name = zone.formatToParts(time).find((part) => part.type === "timeZoneName").value;
    element.title = `${local.format(time)} ${name}, ${element.title}`;
    element.dataset.zoned = "";
  }
}

export function sayTimes(root = document) {
  const now = Date.now();
  placeInZone(root);
  for (const element of root.querySelectorAll("time[datetime]:not([data-exact])")) {
    const seconds = (now - Date.parse(element.dateTime)) / 1000;
    element.textContent = "since" in element.dataset ? saySpan(seconds) : sayAge(seconds);
  }
}

sayTimes();
setInterval(() => sayTimes(), 1000);
