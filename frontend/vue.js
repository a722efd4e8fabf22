/**
 * Trace in a component of Vue 3: progress, rows as they come, errors; it ends with the component.
 *
 * @typedef {import('./ndjson.js').Row} Row
 * @typedef {import('./ndjson.js').Column} Column
 * @typedef {import('./ndjson.js').ProgressLine} ProgressLine
 * @typedef {'idle' | 'running' | 'complete' | 'failed' | 'cancelled'} State
 */
/**
 * @template [OneRow=Row]
 * @typedef {{columns: Column[], rows: OneRow[], count: number}} DomainRows *rows* has the first of the *count* that came
 */
/**
 * @template [App={}]
 * @typedef {{[Domain in keyof import('./ndjson.js').RowsOf<App>]?: DomainRows<import('./ndjson.js').RowsOf<App>[Domain]>}} Domains
 */
/**
 * @template T
 * @typedef {import('vue').ShallowRef<T>} Shown
 */
/**
 * @template [App={}]
 * @typedef {object} TraceProgress
 * @property {Shown<State>} state
 * @property {Shown<string | null>} jobId
 * @property {Shown<Partial<ProgressLine>>} progress
 * @property {Shown<Domains<App>>} domains
 * @property {Shown<import('./ndjson.js').AggregationLine<App>['data'] | null>} aggregation
 * @property {Shown<string[]>} failedDomains
 * @property {Shown<Error | null>} error
 * @property {(wanted: import('./jobs.js').Wanted) => Promise<void>} start
 * @property {() => void} cancel
 */
import { getCurrentScope, onScopeDispose, shallowRef, triggerRef } from 'vue';
import { trace } from './jobs.js';

const KEPT_ROWS = 10000; // of a domain, for a virtual table

/**
 * Use a trace in a component. `start(wanted)` asks for a trace; a second call, or `cancel()`, ends the one before. Once
 * the component is gone, it does nothing.
 * *domains* grows at most once a frame, and keeps the first *keep* rows of each; with `Infinity` all of them stay in
 * memory. *progress* has the `rows` that came, and the last words of the server, such as `percent`.
 *
 * @template [App={}]
 * @param {string} url of the routes, such as `/api/trace`
 * @param {{keep?: number} & Omit<import('./jobs.js').Options, 'signal'>} [options]
 * @returns {TraceProgress<App>}
 */
export function useTraceProgress(url, { keep = KEPT_ROWS, ...options } = {}) {
  const state = shallowRef(/** @type {State} */ ('idle'));
  const jobId = shallowRef(/** @type {string | null} */ (null));
  const progress = shallowRef(/** @type {Partial<ProgressLine>} */ ({}));
  const domains = shallowRef(/** @type {any} */ ({}));
  const aggregation = shallowRef(/** @type {any} */ (null));
  const failedDomains = shallowRef(/** @type {string[]} */ ([]));
  const error = shallowRef(/** @type {Error | null} */ (null));
  let controller = new AbortController();
  let frame = 0;
  let rows = 0;
  let gone = false;

  /** Show the rows that came, with the next frame, or at once in a hidden tab, which has no frames. */
  function show() {
    if (document.hidden) triggerRef(domains);
    else frame ||= requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    triggerRef(domains);
  }

  /**
   * @param {string} name
   * @returns {DomainRows<any>}
   */
  function domainOf(name) {
    return (domains.value[name] ??= { columns: [], rows: [], count: 0 });
  }

  /** @param {import('./ndjson.js').Line} line */
  function take(line) {
    if (line.type === 'meta') jobId.value = line.job_id;
    else if (line.type === 'progress') progress.value = line;
    else if (line.type === 'aggregation') aggregation.value = line.data;
    else if (line.type === 'warning') failedDomains.value = line.failed_domains;
    else if (line.type === 'domain_start') domainOf(line.domain).columns = line.columns ?? [];
    else if (line.type === 'records') {
      const domain = domainOf(line.domain);
      domain.count += line.count;
      progress.value = { ...progress.value, rows: (rows += line.count) };
      for (const row of line.data.slice(0, keep - domain.rows.length)) domain.rows.push(row);
      show();
    }
  }

  /**
   * Start a trace. Resolves when it has ended, with success or not: see *state* and *error*.
   * @param {import('./jobs.js').Wanted} wanted
   */
  async function start(wanted) {
    if (gone) return;
    cancel();
    const ours = (controller = new AbortController());
    state.value = 'running';
    jobId.value = aggregation.value = error.value = null;
    progress.value = {};
    rows = 0;
    domains.value = {};
    failedDomains.value = [];
    try {
      for await (const line of trace(url, wanted, { ...options, signal: ours.signal })) take(line);
      state.value = 'complete';
    } catch (failure) {
      if (ours.signal.aborted) return; // by `cancel`, or for the next one
      error.value = /** @type {Error} */ (failure);
      state.value = 'failed';
    }
    triggerRef(domains);
  }

  function cancel() {
    controller.abort();
    cancelAnimationFrame(frame);
    frame = 0;
    if (state.value === 'running') state.value = 'cancelled';
  }

  function leave() {
    gone = true;
    cancel();
  }

  if (getCurrentScope()) onScopeDispose(leave);
  return { state, jobId, progress, domains, aggregation, failedDomains, error, start, cancel };
}
