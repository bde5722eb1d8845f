import { element } from './elements.js';

const SHOWN_MS = 1500;

/**
 * @param {() => string} text
 * @param {string} label what is copied
 */
export function copyButton(text, label) {
  const state = element('span', { 'aria-live': 'polite' }, 'Copy');
  const button = element('button', { type: 'button', class: 'quiet', 'aria-label': `Copy ${label}` }, state);
  button.addEventListener('click', async () => {
    state.textContent = (await copy(text())) ? 'Copied' : 'Not copied';
    setTimeout(() => (state.textContent = 'Copy'), SHOWN_MS);
  });
  return button;
}

/**
 * A browser has the clipboard only on HTTPS and on loopback.
 *
 * @param {string} text
 */
async function copy(text) {
  if (!navigator.clipboard) return copySelected(text);
  return navigator.clipboard.writeText(text).then(
    () => true,
    () => copySelected(text),
  );
}

/** @param {string} text */
function copySelected(text) {
  const focused = document.activeElement;
  const area = element('textarea', { class: 'off-screen', 'aria-hidden': 'true', tabindex: '-1' });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
