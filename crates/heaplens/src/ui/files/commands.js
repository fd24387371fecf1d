// Commands to copy, with this server's address in them.
import { button } from './dom.js';

/** The address of a path under /debug/, as a tool on this machine would ask for it. */
export const address = (path) => new URL(`${document.documentElement.dataset.root ?? ''}${path}`, location.href).href;

/** A button that copies a text. */
export function copier(text, label = 'Copy', title = null) {
  const copy = button(label, async () => {
    let done = 'Copied';
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      // Only pages of loopback or TLS may write there.
      done = 'Select and copy by hand';
    }
    copy.textContent = done;
    setTimeout(() => (copy.textContent = label), 2000);
  }, { title });
  return copy;
}

/** Puts the address into the commands of the document. */
export function fillIn() {
  for (const code of document.querySelectorAll('code[data-command]')) {
    code.textContent = `${code.dataset.command}'${address(code.dataset.path)}'`;
    code.after(copier(() => code.textContent));
  }
}
