/**
 * A table that draws the rows one can see, whatever the number of them.
 *
 * Rows are cells of text: nothing in them can become an element.
 */

const ROW_HEIGHT = 30; // as in style.css
const MARGIN = 8; // rows drawn beyond the edges, so that scrolling finds them there
const MOST_HEIGHT = 15_000_000; // pixels: browsers give up above 33 million, Firefox at 17

export class VirtualTable {
  /** @type {string[]} */
  #columns = [];
  #length = 0;
  #frame = 0;
  #drawn = ''; // which rows

  /**
   * *rowAt* gives the row of a number, or undefined while it is fetched.
   * @param {HTMLElement} place
   * @param {(index: number) => Record<string, unknown> | undefined} rowAt
   */
  constructor(place, rowAt) {
    this.place = place;
    this.rowAt = rowAt;
    this.table = place.appendChild(element('table'));
    this.head = this.table.appendChild(element('thead'));
    this.above = this.table.appendChild(element('tbody')).appendChild(element('tr'));
    this.body = this.table.appendChild(element('tbody'));
    this.below = this.table.appendChild(element('tbody')).appendChild(element('tr'));
    for (const space of [this.above, this.below]) space.setAttribute('aria-hidden', 'true');
    place.addEventListener('scroll', () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(place);
  }

  /** @param {string[]} columns */
  set columns(columns) {
    if (columns.join('\n') === this.#columns.join('\n')) return;
    this.#columns = columns;
    const row = element('tr');
    for (const column of columns) row.append(element('th', column, { scope: 'col' }));
    this.head.replaceChildren(row);
    this.redraw();
  }

  /** @param {number} length */
  set length(length) {
    this.#length = length;
    this.table.setAttribute('aria-rowcount', String(length + 1));
    this.draw();
  }

  /** Other rows stand at the same places, or come at last. */
  redraw() {
    this.#drawn = '';
    this.draw();
  }

  /** Draw with the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const full = this.#length * ROW_HEIGHT;
    const height = Math.min(full, MOST_HEIGHT);
    const seen = this.place.clientHeight;
    const share = height > seen ? Math.min(1, this.place.scrollTop / (height - seen)) : 0;
    const top = full > height ? share * (full - seen) : this.place.scrollTop;
    const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - MARGIN);
    const last = Math.min(this.#length, first + Math.ceil(seen / ROW_HEIGHT) + 2 * MARGIN);
    const wanted = `${first} ${last}`;
    if (wanted !== this.#drawn) {
      this.#drawn = wanted;
      this.body.replaceChildren(...Array.from({ length: last - first }, (_, number) => this.#row(first + number)));
    }
    const drawn = (last - first) * ROW_HEIGHT;
    const shift = full > height ? this.place.scrollTop - (top - first * ROW_HEIGHT) : first * ROW_HEIGHT;
    const above = Math.max(0, Math.min(shift, height - drawn));
    this.above.style.height = `${above}px`;
    this.below.style.height = `${Math.max(0, height - above - drawn)}px`;
  }

  /** @param {number} index */
  #row(index) {
    const row = element('tr', '', { 'aria-rowindex': String(index + 2) });
    const values = this.rowAt(index);
    if (!values) row.className = 'waiting';
    for (const column of this.#columns) {
      const value = values?.[column];
      const cell = element('td', values ? (value ?? '') : '…');
      if (typeof value === 'number') cell.className = 'number';
      row.append(cell);
    }
    return row;
  }
}

/**
 * @param {string} name
 * @param {unknown} [text]
 * @param {Record<string, string>} [attributes]
 */
export function element(name, text = '', attributes = {}) {
  const made = document.createElement(name);
  made.textContent = String(text);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}
