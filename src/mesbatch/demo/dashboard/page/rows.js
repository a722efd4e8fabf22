/** The rows of one domain: the first ones are kept, and those of a finished job are fetched again when one looks. */

const KEPT = 5000;
const PAGE_ROWS = 500;
const PAGES = 6; // kept of those that were fetched

export class DomainRows {
  /** @type {Record<string, unknown>[]} */
  #kept = [];
  /** @type {Map<number, Record<string, unknown>[] | null>} null: on its way */
  #pages = new Map();
  /** @type {((offset: number, limit: number) => Promise<Record<string, unknown>[]>) | undefined} */
  #fetch;
  /** @type {string[]} */
  columns = [];
  count = 0;

  /** @param {() => void} changed called when rows that were waited for came */
  constructor(changed) {
    this.changed = changed;
  }

  /** How many rows one can look at. */
  get length() {
    return this.#fetch ? this.count : this.#kept.length;
  }

  /** @param {Record<string, unknown>[]} rows */
  add(rows) {
    if (!this.columns.length && rows.length) this.columns = Object.keys(rows[0]);
    this.count += rows.length;
    const room = KEPT - this.#kept.length;
    if (room > 0) this.#kept.push(...rows.slice(0, room));
  }

  /**
   * From now on all rows can be looked at.
   * @param {(offset: number, limit: number) => Promise<Record<string, unknown>[]>} fetch
   */
  fetchFrom(fetch) {
    this.#fetch = fetch;
  }

  /** @param {number} index */
  at(index) {
    if (index < this.#kept.length) return this.#kept[index];
    const page = Math.floor(index / PAGE_ROWS);
    if (!this.#pages.has(page)) this.#load(page);
    return this.#pages.get(page)?.[index % PAGE_ROWS];
  }

  /** @param {number} page */
  async #load(page) {
    this.#pages.set(page, null);
    for (const old of this.#pages.keys()) if (this.#pages.size > PAGES) this.#pages.delete(old);
    try {
      this.#pages.set(page, (await this.#fetch?.(page * PAGE_ROWS, PAGE_ROWS)) ?? []);
      this.changed();
    } catch {
      this.#pages.delete(page); // asked for again when it is looked at again
    }
  }
}
