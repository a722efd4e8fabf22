/** One trace from the click to its end: what came of it so far, without its rows. */

import { trace } from '../mesbatch/jobs.js';

const RATE_SECONDS = 2;
const IDS_AT_ONCE = 20000;
const ATTRIBUTING = { profile: 'mid_section_defect', domains: ['rejects', 'upstream_history', 'materials'] };
const SEEDS_IN_ALL = 70000 / 114000;
const MOST_ANCESTORS = 5;

/**
 * @typedef {{prefix: string, first: number, step: number}} Ids the first id, and how many lie between two
 */

export class Run {
  /** @type {string | null} */
  jobId = null;
  /** @type {'running' | 'complete' | 'failed' | 'cancelled'} */
  state = 'running';
  /** @type {Error | null} */
  error = null;
  rows = 0;
  connections = 0;
  /** @type {string[]} */
  failedDomains = [];
  began = performance.now();
  /** @type {number | null} */
  ended = null;
  /** @type {number | null} milliseconds from the click to the first rows */
  firstRow = null;
  /** Rejects by loss reason, counted as they pass. */
  reasons = new Map();
  /** Rejects charged to each equipment of a lot's ancestors, once all is read. */
  charged = new Map();
  controller = new AbortController();
  /** @type {Map<string, number>} from 0 to 1 */
  #done = new Map();
  /** @type {{at: number, rows: number}[]} */
  #recent = [];

  /**
   * @param {string} url
   * @param {Omit<import('../mesbatch/jobs.js').Wanted, 'container_ids'>} wanted
   * @param {Ids} ids
   * @param {number} count of ids
   */
  constructor(url, wanted, ids, count) {
    this.url = url;
    this.wanted = wanted;
    this.ids = ids;
    this.count = count;
  }

  /**
   * Read all of it; *onRecords* gets each `records` line.
   * @param {(line: import('../mesbatch/ndjson.js').RecordsLine) => void} onRecords
   * @param {() => void} onChange
   */
  async read(onRecords, onChange) {
    try {
      const ids = await containerIds(this.ids, this.count);
      const wanted = { ...this.wanted, container_ids: ids, ...(this.attributes ? { lineage: lineage(ids) } : {}) };
      for await (const line of trace(this.url, wanted, { signal: this.controller.signal })) {
        this.#take(line);
        if (line.type === 'records') onRecords(line);
        onChange();
      }
      this.state = 'complete';
    } catch (error) {
      this.state = this.controller.signal.aborted ? 'cancelled' : 'failed';
      this.error = /** @type {Error} */ (error);
    }
    this.ended = performance.now();
    onChange();
  }

  /** Whether rejects are charged to ancestors: the incident's own profile, with all that this needs. */
  get attributes() {
    const { profile, domains } = this.wanted;
    return profile === ATTRIBUTING.profile && ATTRIBUTING.domains.every((domain) => domains.includes(domain));
  }

  cancel() {
    this.controller.abort();
  }

  /** Of all ids in all domains, those that are done. */
  get percent() {
    if (this.state === 'complete') return 100;
    const parts = this.wanted.domains.map((domain) => this.#done.get(domain) ?? 0);
    return (100 * parts.reduce((sum, part) => sum + part, 0)) / parts.length;
  }

  get seconds() {
    return ((this.ended ?? performance.now()) - this.began) / 1000;
  }

  /** Rows per second: of the last two, and at the end of the whole. */
  get rate() {
    if (this.ended) return this.rows / this.seconds;
    const now = performance.now();
    while (this.#recent.length > 1 && now - this.#recent[0].at > 1000 * RATE_SECONDS) this.#recent.shift();
    const from = this.#recent[0];
    return from ? (this.rows - from.rows) / Math.max(0.25, (now - from.at) / 1000) : 0;
  }

  /** @param {import('../mesbatch/ndjson.js').Line} line */
  #take(line) {
    if (line.type === 'meta') {
      this.jobId = line.job_id;
      this.connections += 1;
    } else if (line.type === 'domain_end') this.#done.set(line.domain, 1);
    else if (line.type === 'warning') this.failedDomains = line.failed_domains;
    else if (line.type === 'aggregation') {
      this.reasons = new Map(Object.entries(line.data.by_loss_reason ?? {}));
      this.charged = new Map(Object.entries(line.data.attribution?.by_equipment ?? {}));
    }
    else if (line.type === 'records') this.#count(line);
  }

  /** @param {import('../mesbatch/ndjson.js').RecordsLine} line */
  #count(line) {
    const rows = /** @type {Record<string, any>[]} */ (line.data);
    this.firstRow ??= performance.now() - this.began;
    this.#recent.push({ at: performance.now(), rows: this.rows });
    this.rows += rows.length;
    const last = rows.at(-1)?.CONTAINERID;
    if (last) this.#done.set(line.domain, this.#position(last) / this.count);
    if (line.domain === 'rejects') {
      for (const { LOSSREASONNAME: reason } of rows) this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    }
  }

  /** @param {string} id */
  #position(id) {
    return (parseInt(id.slice(this.ids.prefix.length), 16) - this.ids.first) / this.ids.step + 1;
  }
}

/**
 * The first *count* ids of the warehouse, made in parts, so that the page stays awake.
 * @param {Ids} ids
 * @param {number} count
 */
export async function containerIds({ prefix, first, step }, count) {
  const ids = [];
  while (ids.length < count) {
    for (let left = Math.min(IDS_AT_ONCE, count - ids.length); left > 0; left--) {
      ids.push(prefix + (first + step * ids.length).toString(16).padStart(8, '0'));
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
  return ids;
}

/**
 * The made-up lineage of *ids*, as `mesbatch.demo.lineage` has it: the first are seeds, the others their ancestors.
 * @param {string[]} ids
 * @returns {Record<string, string[]>}
 */
export function lineage(ids) {
  const count = Math.max(1, Math.min(ids.length - 1, Math.floor(ids.length * SEEDS_IN_ALL)));
  const ancestors = ids.slice(count);
  return Object.fromEntries(
    ids.slice(0, count).map((seed, number) => {
      const first = Math.floor((number * ancestors.length) / count);
      const many = Math.min(1 + (number % MOST_ANCESTORS), ancestors.length);
      const found = new Set(Array.from({ length: many }, (_, step) => ancestors[(first + 7 * step) % ancestors.length]));
      return [seed, [...found].sort()];
    }),
  );
}
