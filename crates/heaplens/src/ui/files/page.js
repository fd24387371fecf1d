// The page: kept up to date while it is looked at.
import { part, Trouble } from './ask.js';
import { fillIn } from './commands.js';
import { button, byId, make, morph } from './dom.js';
import { showFlame } from './flame_view.js';
import { clock } from './format.js';
import { showHistory } from './history.js';
import { showMap } from './map.js';
import { arrange, enhance } from './table.js';

/** Seconds between looks at what costs little, and at what takes a profile. */
const LIVE = 5;
const SITES = 60;
const LONGEST_PAUSE = 60;
/** Polls take one part in so many of the server's time, at the most: a slow answer is asked for less often. */
const SHARE = 150;

const SECTIONS = ['state', 'memory', 'verdicts', 'maps', 'sites', 'more'];
const TABLES = ['maps-table', 'sites-table'];

/** Puts the sections of a document of the server's in the place of the old ones. */
function put(fresh) {
  for (const id of TABLES) {
    const table = fresh.getElementById(id);
    if (table) arrange(table);
  }
  for (const id of SECTIONS) {
    const [old, wanted] = [byId(id), fresh.getElementById(id)];
    if (old && wanted) morph(old, wanted);
  }
  TABLES.forEach((id) => enhance(byId(id)));
  document.dispatchEvent(new CustomEvent('refreshed'));
}

const poll = {
  paused: false,
  timer: null,
  failures: 0,
  /** Seconds that the last answer took. */
  took: 0,
  /** When the sites were last looked at. */
  sites: Date.now(),
  busy: false,

  async look() {
    clearTimeout(this.timer);
    if (this.busy || this.paused || document.hidden) return;
    this.busy = true;
    try {
      const begun = performance.now();
      const live = await part('live');
      this.took = (performance.now() - begun) / 1000;
      put(live);
      if (Date.now() - this.sites >= SITES * 1000 || !byId('sites-table')) {
        this.sites = Date.now();
        put(await part('sites'));
      }
      this.failures = 0;
      clear();
      tell(`Live, ${clock(Date.now() / 1000)} UTC`, 'on');
    } catch (error) {
      this.failures += 1;
      report(error);
    } finally {
      this.busy = false;
      this.plan();
    }
  },

  plan() {
    clearTimeout(this.timer);
    if (this.paused || document.hidden) return;
    const pause = Math.min(Math.max(LIVE * 2 ** this.failures, SHARE * this.took), LONGEST_PAUSE);
    this.timer = setTimeout(() => this.look(), pause * 1000);
  },
};

function tell(text, kind) {
  const live = byId('live');
  live.textContent = text;
  live.dataset.kind = kind;
}

/** Says what is wrong; figures stay as they were last. */
function report(error) {
  const kind = error instanceof Trouble ? error.kind : 'failed';
  if (kind === 'busy') {
    tell('The server is busy', 'warn');
    return;
  }
  const words = {
    unauthorised: 'The token is no longer accepted. Reload the page and give it again.',
    offline: `${error.message}. Figures are as they were; the next try follows by itself.`,
    missing: error.message,
  };
  const box = byId('trouble');
  box.replaceChildren(make('p', null, words[kind] ?? `The server cannot answer: ${error.message}`), button('Reload', () => location.reload()));
  box.dataset.kind = kind;
  box.hidden = false;
  tell(kind === 'offline' ? 'Not reachable' : 'Not up to date', 'bad');
}

function clear() {
  byId('trouble').hidden = true;
}

function controls() {
  const pause = button('Pause', () => {
    poll.paused = !poll.paused;
    pause.textContent = poll.paused ? 'Go on' : 'Pause';
    if (poll.paused) tell('Paused', 'warn');
    poll.look();
  });
  const theme = button('', () => {
    const now = document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
    choose(now === 'dark' ? 'light' : 'dark');
  });
  const choose = (name) => {
    document.documentElement.dataset.theme = name;
    name_it();
    document.dispatchEvent(new CustomEvent('theme'));
    try {
      localStorage.setItem('heaplens.theme', name);
    } catch {
      // Storage is denied: it holds for this page.
    }
  };
  const name_it = () => {
    const dark = (document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
    theme.textContent = dark ? 'Light' : 'Dark';
    theme.title = dark ? 'Light theme' : 'Dark theme';
  };
  name_it();
  theme.id = 'theme';
  pause.id = 'pause';
  byId('controls').append(pause, theme);
}

controls();
fillIn();
TABLES.forEach((id) => enhance(byId(id)));
tell(`Live, ${clock(Date.now() / 1000)} UTC`, 'on');
document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(poll.timer);
  else poll.look();
});
showHistory();
showFlame();
showMap();
// Functions were still being named when the document was made.
if (byId('sites-table')) poll.plan();
else poll.look();
