/**
 * Functions that ask for a trace, follow it to its end wherever it is read, and stop it.
 *
 * @typedef {{profile: string, container_ids: (string | number)[], domains: string[], params?: Record<string, any>,
 *   [input: string]: any}} Wanted an application's own members are its inputs
 * @typedef {{job_id: string, status: string, domains: string[], progress: Record<string, any>,
 *   elapsed_seconds: number, error: string | null}} Status
 * @typedef {object} Options
 * @property {AbortSignal} [signal] ends everything: requests, pauses and, with `trace`, the job
 * @property {Record<string, string>} [headers] sent with every request
 * @property {RequestCredentials} [credentials] of every request, such as `include` for a server of another origin
 * @property {number} [patience] seconds of pauses without an answer before giving up
 * @property {number} [pause] seconds before something is asked again for the first time
 * @property {number} [maxLineBytes]
 * @property {number} [timeout] seconds for an answer, or for the next piece of a stream
 */
/**
 * @template [App={}]
 * @typedef {import('./ndjson.js').Line<App>} Line
 */
import { Account, JobFailed, Malformed, Refused, Unreachable, checkCount, inTime, onAbort, readLines, refusal } from './ndjson.js';

const PATIENCE_SECONDS = 60; // a restart of a web server takes less
const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 5;
const STREAM_TRIES = 3; // without new rows; after them the status of the job is asked for, too
const PAGE_ROWS = 5000;

/**
 * Submit a trace and follow its lines, whether it is read at once or as a job. Leaving the loop, or aborting the
 * signal, cancels the job. Aborting does so at once, because in a page that is being left nothing that waits goes on.
 * Throws the errors of `submit` and `follow`.
 * @template [App={}]
 * @param {string} url of the routes, such as `/api/trace`
 * @param {Wanted} wanted
 * @param {Options} [options]
 * @returns {AsyncGenerator<Line<App>, void, void>}
 */
export async function* trace(url, wanted, options = {}) {
  const { response, job } = await submit(url, wanted, options);
  if (response) return yield* /** @type {AsyncGenerator<any>} */ (readLines(response, options));
  let open = true;
  const stop = () => {
    if (open) cancel(url, job.job_id, options).catch(() => {}); // it may have ended by itself
    open = false;
  };
  const forget = onAbort(options.signal, stop);
  try {
    for await (const line of /** @type {AsyncGenerator<any>} */ (follow(url, job.job_id, options))) {
      open &&= line.type !== 'complete';
      yield line;
    }
  } finally {
    forget();
    stop();
  }
}

/**
 * Ask for events. The answer is a *response* for `readLines`, or a *job* to follow.
 * Throws `Refused` for too many (413, with `problem.limit`), busy (503, with `retryAfter`) and the like.
 * @param {string} url
 * @param {Wanted} wanted
 * @param {Options} [options]
 * @returns {Promise<{response: Response, job?: undefined} | {job: Status, response?: undefined}>}
 */
export async function submit(url, wanted, { signal, ...options } = {}) {
  signal?.throwIfAborted();
  const request = { method: 'POST', body: JSON.stringify(wanted) };
  // Without the signal: a request that is aborted before its answer would leave a job behind that nobody knows.
  const asked = ask(`${url}/events`, options, request).then(async (response) =>
    response.status === 202 ? { job: await json(response) } : { response },
  );
  return unlessAborted(asked, signal, ({ job, response }) =>
    job ? cancel(url, job.job_id, options) : response?.body?.cancel(),
  );
}

/**
 * Follow the lines of a job from its first one on, also while it runs: each `records` line comes once, however often
 * the connection breaks, and `meta` comes again each time. Where streams do not pass, the status of the job is polled
 * and its result is read in pages. Throws `JobFailed`, `Incomplete`, `Refused`, or the last error when no further try
 * succeeds.
 * @template [App={}]
 * @param {string} url
 * @param {string} jobId
 * @param {Options} [options]
 * @returns {AsyncGenerator<Line<App>, void, void>}
 */
export async function* follow(url, jobId, options = {}) {
  const job = pathOf(url, jobId);
  const account = new Account();
  const patience = patient(options);
  /** @param {string} path */
  const get = (path) => insist(job + path, patience, options);
  for (let failures = 0; ; ) {
    try {
      if (failures < Infinity) {
        const response = await ask(`${job}/stream?from=${account.lines}`, options);
        for await (const line of /** @type {AsyncGenerator<any>} */ (readLines(response, { ...options, account }))) {
          if (line.type === 'full_result') break; // the oldest layout, in one piece, is better read in pages
          if (line.type === 'records') failures = patience.heard(true); // lines of other types come even where rows do not pass
          yield line;
          if (line.type === 'complete') return;
        }
      }
    } catch (/** @type {any} */ error) {
      if (error.passing) failures += 1;
      else if (error instanceof Refused) failures = Infinity; // there is no such stream, and the status tells why
      else throw error;
      if (failures < STREAM_TRIES) {
        await patience.wait(error);
        continue;
      }
    }
    /** @type {Status} */
    const told = await get('');
    const { status } = told;
    yield /** @type {any} */ ({ rows: account.rows, percent: null, ...told, ...told.progress, type: 'progress' });
    if (status === 'finished') return yield* pages(get, told.domains, account);
    if (status !== 'queued' && status !== 'started') throw new JobFailed(told.error || `the job is ${status}`);
    await patience.wait();
  }
}

/**
 * Ask a job to stop.
 * @param {string} url
 * @param {string} jobId
 * @param {Options} [options] its signal is ignored, because this call follows an abort
 */
export async function cancel(url, jobId, { signal, ...options } = {}) {
  await ask(pathOf(url, jobId), options, { method: 'DELETE', keepalive: true });
}

/**
 * @param {(path: string) => Promise<any>} get
 * @param {string[]} domains
 * @param {Account} account
 * @returns {AsyncGenerator<any, void, void>}
 */
async function* pages(get, domains, account) {
  let last;
  for (const domain of domains) {
    const came = account.of(domain);
    let total, data, count;
    do {
      last = await get(`/result?domain=${encodeURIComponent(domain)}&offset=${came.rows}&limit=${PAGE_ROWS}`);
      ({ total, data = [] } = last.results[domain] ?? {});
      count = data.length;
      came.rows += count;
      account.rows += count;
      yield { type: 'records', domain, batch: came.batches++, count, data };
    } while (count && came.rows < total);
    // A domain that failed before its first row has no total, and is named in the warning.
    if (total !== undefined || !last.failed_domains?.includes(domain)) checkCount(came.rows, total, domain);
  }
  const { aggregation, code, failed_domains } = last;
  if (aggregation) yield { type: 'aggregation', data: aggregation };
  if (failed_domains) yield { type: 'warning', code, failed_domains };
  yield { type: 'complete', total_records: account.rows };
}

/**
 * Ask for the JSON at *path* until it comes.
 * @param {string} path
 * @param {ReturnType<typeof patient>} patience
 * @param {Options} options
 */
async function insist(path, patience, options) {
  for (;;) {
    try {
      const told = await json(await ask(path, options));
      patience.heard();
      return told;
    } catch (/** @type {any} */ error) {
      if (!error.passing) throw error;
      await patience.wait(error);
    }
  }
}

/**
 * @param {string} path
 * @param {Options} options
 * @param {RequestInit} [request]
 */
async function ask(path, { signal, headers, timeout, ...options }, request) {
  const late = new AbortController(); // for the headers alone; a body may take longer
  const asked = fetch(path, {
    ...options, // of which `fetch` knows credentials
    ...request,
    headers: { Accept: 'application/x-ndjson, */*', 'Content-Type': 'application/json', ...headers },
    signal: AbortSignal.any([late.signal, signal ?? late.signal]),
  });
  const response = await inTime(asked, timeout);
  signal?.throwIfAborted();
  if ('cause' in response) {
    late.abort();
    throw new Unreachable('no answer', response);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** @param {Response} response */
const json = (response) =>
  response.json().catch((cause) => {
    throw new Malformed('no JSON', { cause });
  });

/**
 * @param {string} url
 * @param {string} jobId
 */
const pathOf = (url, jobId) => `${url}/job/${encodeURIComponent(jobId)}`;

/**
 * Make pauses that become longer, up to an end. Pauses are counted, because a clock runs on in a suspended tab.
 * @param {Options} options
 */
function patient({ signal, patience = PATIENCE_SECONDS, pause = FIRST_PAUSE }) {
  let tries = 0;
  let waited = 0;
  return {
    /**
     * Note an answer, or even one with something new.
     * @param {boolean} [news]
     */
    heard(news) {
      waited = 0;
      if (news) tries = 0;
      return 0;
    },
    /**
     * Sleep; throw *error* after too long without an answer. Jitter spreads the clients that a restart cut off.
     * @param {any} [error]
     */
    async wait(error) {
      if (waited > patience) throw error;
      const longest = Math.max(error?.retryAfter ?? 0, Math.min(LONGEST_PAUSE, pause * 2 ** tries++));
      const seconds = longest * (1 + Math.random() / 2);
      await unlessAborted(new Promise((resolve) => setTimeout(resolve, 1000 * seconds)), signal);
      waited += seconds;
    },
  };
}

/**
 * Resolve as *promised* does, or throw the reason of *signal* at once; then *late* gets the value of *promised*.
 * @template T
 * @param {Promise<T>} promised
 * @param {AbortSignal | undefined} signal
 * @param {(value: T) => unknown} [late]
 * @returns {Promise<T>}
 */
function unlessAborted(promised, signal, late) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(signal?.reason);
      promised.then(late).catch(() => {});
    };
    promised.then(resolve, reject).finally(onAbort(signal, stop));
  });
}
