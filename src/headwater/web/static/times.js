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

export function sayTimes(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time[datetime]:not([data-exact])")) {
    const seconds = (now - Date.parse(element.dateTime)) / 1000;
    element.textContent = "since" in element.dataset ? saySpan(seconds) : sayAge(seconds);
  }
}

sayTimes();
setInterval(sayTimes, 1000);
