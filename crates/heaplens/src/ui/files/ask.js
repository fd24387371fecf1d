// Requests to this server, and what may go wrong with them.

export const root = document.documentElement.dataset.root ?? '';

/** Why there is no answer: `kind` is unauthorised, busy, missing, refused, failed or offline. */
export class Trouble extends Error {
  constructor(kind, message, seconds) {
    super(message);
    this.kind = kind;
    this.seconds = seconds;
  }
}

const KINDS = { 401: 'unauthorised', 403: 'refused', 404: 'missing', 409: 'refused', 429: 'busy', 501: 'missing', 503: 'busy' };

function trouble(status, text, retry) {
  const line = text.trim().split('\n')[0].slice(0, 400);
  return new Trouble(KINDS[status] ?? 'failed', line || `the server answered ${status}`, Number(retry) || 0);
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(root + path, { cache: 'no-store', redirect: 'error', ...options });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Trouble('offline', 'the server cannot be reached');
  }
  if (!answer.ok) throw trouble(answer.status, await answer.text(), answer.headers.get('Retry-After'));
  return answer;
}

/** What a path answers, as JSON. */
export async function json(path, options) {
  const answer = await ask(path, options);
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Trouble('failed', `${path.split('?')[0]}: the answer was cut short`);
  }
}

/** Changes something on the server. The header is what other sites cannot send. */
export const post = (path) => json(path, { method: 'POST', headers: { 'X-Heaplens': '1' } });

/** A part of this page as the server has it now: a document, whose scripts do not run. */
export function part(name) {
  const query = new URLSearchParams(location.search);
  query.set('part', name);
  const request = new XMLHttpRequest();
  request.open('GET', `${location.pathname}?${query}`);
  request.responseType = 'document';
  request.timeout = 30_000;
  return new Promise((resolve, reject) => {
    request.onload = () => {
      if (request.status === 200 && request.response) resolve(request.response);
      else reject(trouble(request.status, request.response?.body?.textContent ?? '', request.getResponseHeader('Retry-After')));
    };
    request.onerror = () => reject(new Trouble('offline', 'the server cannot be reached'));
    request.ontimeout = () => reject(new Trouble('offline', 'the server did not answer within 30 s'));
    request.send();
  });
}
