/**
 * Ask for a trace, follow it to its end wherever it is read, and stop it.
 *
 * @typedef {import('./ndjson.js').Line} Line
 * @typedef {{profile: string, container_ids: (string | number)[], domains: string[], params?: Record<string, any>}} Wanted
 * @typedef {{job_id: string, status: string, domains: string[], progress: Record<string, any>,
 *   elapsed_seconds: number, error: string | null}} Status
 * @typedef {object} Options
 * @property {AbortSignal} [signal] ends everything: requests, pauses and, with `trace`, the job
 * @property {Record<string, string>} [headers] go with every request
 * @property {number} [patience] seconds of pauses without an answer before giving up
 * @property {number} [pause] seconds before something is asked again for the first time
 * @property {number} [maxLineBytes]
 * @property {number} [timeout] seconds that an answer, or the next piece of a stream, may take
 */
import { Account, JobFailed, Malformed, Refused, Unreachable, inTime, incomplete, onAbort, readLines, refusal } from './ndjson.js';

const PATIENCE_SECONDS = 60; // a restart of a web server takes less
const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 5;
const STREAM_TRIES = 3; // without new rows: then the job is asked how it is, too
const PAGE_ROWS = 5000;

/**
 * Submit and follow: the lines of a trace, whether it is read at once or as a job. Leaving the loop, or aborting the
 * signal, cancels the job. Aborting does it at once: in a page that is being left, nothing that waits goes on. Throws
 * what `submit` and `follow` throw.
 * @param {string} url of the routes, such as `/api/trace`
 * @param {Wanted} wanted
 * @param {Options} [options]
 * @returns {AsyncGenerator<Line, void, void>}
 */
export async function* trace(url, wanted, options = {}) {
  const { signal } = options;
  const { response, job } = await submit(url, wanted, options);
  if (response) return yield* readLines(response, options);
  let open = true;
  const stop = () => {
    if (open) cancel(url, job.job_id, options).catch(() => {}); // it may have ended by itself
    open = false;
  };
  const forget = onAbort(signal, stop);
  try {
    for await (const line of follow(url, job.job_id, options)) {
      open &&= line.type !== 'complete';
      yield line;
    }
  } finally {
    forget();
    stop();
  }
}

/**
 * Ask for events. The answer is a *response*, whose lines `readLines` gives, or a *job* to follow.
 * Throws `Refused` for too many (413, with `problem.limit`), busy (503, with `retryAfter`) and the like.
 * @param {string} url
 * @param {Wanted} wanted
 * @param {Options} [options]
 * @returns {Promise<{response: Response, job?: undefined} | {job: Status, response?: undefined}>}
 */
export async function submit(url, wanted, { signal, ...options } = {}) {
  signal?.throwIfAborted();
  const request = { method: 'POST', body: JSON.stringify(wanted) };
  // Without the signal: whoever hangs up before the answer leaves a job behind that nobody knows.
  const asked = ask(`${url}/events`, options, request).then(async (response) =>
    response.status === 202 ? { job: await json(response) } : { response },
  );
  return unlessAborted(asked, signal, ({ job, response }) =>
    job ? cancel(url, job.job_id, options) : response?.body?.cancel(),
  );
}

/**
 * The lines of a job from its first on, while it still runs: each `records` line once, however often the connection
 * breaks; `meta` comes again each time. Where no stream passes, the job's status is polled, and its result read in
 * pages. Throws `JobFailed`, `Incomplete`, `Refused`, or what went wrong last when nobody answers any more.
 * @param {string} url
 * @param {string} jobId
 * @param {Options} [options]
 * @returns {AsyncGenerator<Line, void, void>}
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
        for await (const line of readLines(response, { ...options, account })) {
          if (line.type === 'full_result') break; // the oldest layout, in one piece: better read in pages
          if (line.type === 'records') failures = patience.heard(true); // others come even where none passes
          yield line;
          if (line.type === 'complete') return;
        }
      }
    } catch (/** @type {any} */ error) {
      if (error.passing) failures += 1;
      else if (error instanceof Refused) failures = Infinity; // there is no such stream; the status tells the truth
      else throw error;
      if (failures < STREAM_TRIES) {
        await patience.wait(error);
        continue;
      }
    }
    /** @type {Status} */
    const told = await get('');
    const { status } = told;
    yield { rows: account.rows, ...told, ...told.progress, type: 'progress' };
    if (status === 'finished') return yield* pages(get, told.domains, account);
    if (status !== 'queued' && status !== 'started') throw new JobFailed(told.error || `the job is ${status}`);
    await patience.wait();
  }
}

/**
 * Ask a job to stop.
 * @param {string} url
 * @param {string} jobId
 * @param {Options} [options] its signal does not count: this is what follows an abort
 */
export async function cancel(url, jobId, { headers } = {}) {
  await ask(pathOf(url, jobId), { headers }, { method: 'DELETE', keepalive: true });
}

/**
 * @param {(path: string) => Promise<any>} get
 * @param {string[]} domains
 * @param {Account} account
 * @returns {AsyncGenerator<Line, void, void>}
 */
async function* pages(get, domains, account) {
  let last;
  for (const domain of domains) {
    const came = account.of(domain);
    let total, data;
    do {
      last = await get(`/result?domain=${encodeURIComponent(domain)}&offset=${came.rows}&limit=${PAGE_ROWS}`);
      ({ total, data = [] } = last.results[domain] ?? {});
      const count = data.length;
      came.rows += count;
      account.rows += count;
      yield { type: 'records', domain, batch: came.batches++, count, data };
    } while (data.length && came.rows < total);
    // One that failed before its first row has no total, and stands in the warning.
    if (came.rows !== total && !(last.failed_domains?.includes(domain) && total === undefined)) {
      throw incomplete(came.rows, total, domain);
    }
  }
  const { aggregation, code, failed_domains } = last;
  if (aggregation) yield { type: 'aggregation', data: aggregation };
  if (failed_domains) yield { type: 'warning', code, failed_domains };
  yield { type: 'complete', total_records: account.rows };
}

/**
 * The JSON at *path*, asked for until it comes.
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
async function ask(path, { signal, headers, timeout }, request) {
  const late = new AbortController(); // for the headers alone: a body may take its time
  const asked = fetch(path, {
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
    throw new Malformed('the answer is no JSON', { cause });
  });

/**
 * @param {string} url
 * @param {string} jobId
 */
const pathOf = (url, jobId) => `${url}/job/${encodeURIComponent(jobId)}`;

/**
 * Pauses that become longer, and an end to them. It counts pauses, as a clock runs on in a tab that is suspended.
 * @param {Options} options
 */
function patient({ signal, patience = PATIENCE_SECONDS, pause = FIRST_PAUSE }) {
  let tries = 0;
  let waited = 0;
  return {
    /**
     * Somebody answered, or even brought something new.
     * @param {boolean} [news]
     */
    heard(news) {
      waited = 0;
      if (news) tries = 0;
      return 0;
    },
    /**
     * Sleep; *error* is thrown when nobody was heard for too long. The jitter keeps those apart whom a restart cut off.
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
 * What *promised* gives, or the reason of *signal* at once; then *late* gets what it gives.
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
