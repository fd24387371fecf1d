// Figures as people read them: the same as in documents from the server.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `512 B`, `12.3 MiB`. */
export function bytes(value) {
  let unit = 0;
  while (Math.abs(value) >= 1023.95 && unit + 1 < UNITS.length) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${UNITS[unit]}`;
}

/** `1,234,567`. */
export const count = (value) => Math.round(value).toLocaleString('en');

/** With its sign, for what changed. */
export const signed = (value, write) => (value > 0 ? `+${write(value)}` : value < 0 ? `−${write(-value)}` : write(0));

/** `45s`, `12m30s`, `3h05m`, `2d04h`. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const two = (of) => String(of).padStart(2, '0');
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86400)];
  if (minutes === 0) return `${whole}s`;
  if (hours === 0) return `${minutes}m${two(whole % 60)}s`;
  if (days === 0) return `${hours}h${two(minutes % 60)}m`;
  return `${days}d${two(hours % 24)}h`;
}

/** `08:14:00`, of seconds since 1970, UTC as logs have it. */
export const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);

/** `08:14`, or `22 Nov` at midnight. */
export function tick(seconds, step) {
  const text = new Date(seconds * 1000).toISOString();
  if (step >= 86400 || (step >= 3600 && text.slice(11, 16) === '00:00')) return `${text.slice(8, 10)} ${MONTHS[Number(text.slice(5, 7)) - 1]}`;
  return step < 60 ? text.slice(11, 19) : text.slice(11, 16);
}
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `12.3 %` of a share. */
export const percent = (share) => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** How values of a sample type are written. */
export const ofType = (type) => (type.endsWith('_space') ? bytes : count);
