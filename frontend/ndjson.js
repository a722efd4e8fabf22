/**
 * Lines of a trace's stream as they come, and the account that proves them complete.
 *
 * @typedef {Record<string, any> | any[]} Row an object, or an array in the compact shape
 * @typedef {{name: string, type?: string, decimals?: string}} Column
 * @typedef {{rows: number, checksum: string}} DomainTotal
 *
 * @typedef {{type: 'meta', job_id: string | null, profile: string | null, domains: string[], version?: number,
 *   cid_count?: number | null, shape?: 'objects' | 'arrays'}} MetaLine
 * @typedef {{type: 'domain_start', domain: string, total: number | null, columns?: Column[]}} DomainStartLine
 * @typedef {{type: 'domain_end', domain: string, count: number, status?: string, checksum?: string}} DomainEndLine
 * @typedef {{type: 'warning', code: string, failed_domains: string[], failed_keys?: object[]}} WarningLine
 * @typedef {{type: 'progress', elapsed_seconds: number, rows: number, percent?: number | null, keys?: number,
 *   keys_total?: number, status?: string}} ProgressLine
 * @typedef {{type: 'complete', total_records: number, domains?: Record<string, DomainTotal>,
 *   elapsed_seconds?: number}} CompleteLine
 * @typedef {{type: 'full_result', data: Record<string, any>}} FullResultLine
 * @typedef {object} Details
 * @property {unknown} [cause]
 * @property {string} [name]
 * @property {boolean} [passing] the same request may succeed a little later
 * @property {number} [status] of the response
 * @property {number} [retryAfter] seconds
 * @property {Record<string, any>} [problem] of the server (RFC 9457): `code`, and with 413 `cid_count` and `limit`
 */
// The lines of an application: `App` names what it knows of them, such as
// `{domains: {history: HistoryRow}, aggregation: Reasons, lines: ShiftLine}`; each member may be missing.
/**
 * @template [App={}]
 * @typedef {App extends {domains: infer Rows} ? Rows : Record<string, Row>} RowsOf row of each domain
 */
/**
 * @template [App={}]
 * @typedef {{[Domain in keyof RowsOf<App> & string]: {type: 'records', domain: Domain, batch: number, count: number,
 *   data: RowsOf<App>[Domain][]}}[keyof RowsOf<App> & string]} RecordsLine in either shape
 */
/**
 * @template [App={}]
 * @typedef {{type: 'aggregation', data: App extends {aggregation: infer Data} ? Data : Record<string, any>}} AggregationLine
 */
/**
 * @template [App={}]
 * @typedef {MetaLine | DomainStartLine | RecordsLine<App> | DomainEndLine | AggregationLine<App> | WarningLine
 *   | ProgressLine | CompleteLine | FullResultLine | (App extends {lines: infer More} ? More : never)} Line a server may
 *   send more types; ignore those that you do not know
 */

const LINE_BYTES = 64 * 2 ** 20; // 5,000 rows take 2 MB
const SILENCE_SECONDS = 30; // a server that follows the contract sends a line every 5 s
const NEWLINE = 10;

/**
 * Base of all errors of these modules.
 * @type {new (message: string, details?: Details) => Error & Details}
 */
export const MesbatchError = class extends Error {
  /**
   * @param {string} message
   * @param {Details} [details]
   */
  constructor(message, details) {
    super(message);
    Object.assign(this, details);
  }
};

/**
 * @param {string} name
 * @param {boolean} [passing]
 * @returns {typeof MesbatchError}
 */
const kind = (name, passing) =>
  class extends MesbatchError {
    /**
     * @param {string} message
     * @param {Details} [details]
     */
    constructor(message, details) {
      super(message, { name, passing, ...details });
    }
  };

/** End of a stream before its last line: the rows are incomplete. */
export const Truncated = kind('Truncated', true);
/** Bytes that are no line of a stream, such as the page of a proxy, or a line over the cap. */
export const Malformed = kind('Malformed', true);
/** Lack of an answer. */
export const Unreachable = kind('Unreachable', true);
/** Rows that are not those that the server counted. */
export const Incomplete = kind('Incomplete');
/** Failure of the read, from an `error` line or from the status of a job. */
export const JobFailed = kind('JobFailed');
/** Answer of the server with a *status* that is not 2xx. */
export const Refused = kind('Refused');

/**
 * Make an error of *response*.
 * @param {Response} response
 */
export async function refusal(response) {
  const { status } = response;
  const problem = Object(await response.json().catch(() => {})); // the page of a proxy has nothing that a program can use
  const retryAfter = Number(response.headers.get('Retry-After')) || 0;
  const passing = status >= 500 || status === 429;
  return new Refused(`${status} ${problem.error ?? ''}`, { status, problem, retryAfter, passing });
}

/** Account of the rows of a job that came so far, over any number of responses. */
export class Account {
  /** Number of `records` lines that came, from which a resumed stream goes on. */
  lines = 0;
  rows = 0;
  /** @type {Map<string, {rows: number, batches: number, crc: number}>} */
  domains = new Map();

  /**
   * Look up the account of *domain*.
   * @param {string} domain
   */
  of(domain) {
    const found = this.domains.get(domain) ?? { rows: 0, batches: 0, crc: 0 };
    this.domains.set(domain, found);
    return found;
  }

  /**
   * Count the rows of *line*, written as *text*, or compare its totals with those that came.
   * @param {Line} line
   * @param {string} text
   */
  take(line, text) {
    if (line.type === 'records') this.#add(line, text);
    else if (line.type === 'domain_end') this.#compare(line.domain, line.count, line.checksum);
    else if (line.type === 'complete') {
      for (const [name, total] of Object.entries(line.domains ?? {})) {
        this.#compare(name, total?.rows, `${total?.checksum}`); // one that is missing is none that fits
      }
      checkCount(this.rows, line.total_records);
    }
  }

  /**
   * @param {RecordsLine} line
   * @param {string} text
   */
  #add({ domain: name, batch, count, data: { length: came } }, text) {
    const domain = this.of(name);
    if (batch !== domain.batches) throw new Incomplete(`batch ${domain.batches} of ${name} is missing`);
    checkCount(came, count, name);
    // The rows are the last member of the line. The checksum is over their text as it was sent, not over values.
    const rows = text.slice(text.indexOf('[', text.search(/"(data|rows)":/)) + 1, text.lastIndexOf(']'));
    domain.crc = crc32(domain.rows && came ? ',' + rows : rows, domain.crc);
    domain.batches++;
    domain.rows += came;
    this.rows += came;
    this.lines++;
  }

  /**
   * @param {string} name
   * @param {number} rows
   * @param {string} [checksum]
   */
  #compare(name, rows, checksum) {
    const came = this.of(name);
    checkCount(came.rows, rows, name);
    const crc = (came.crc >>> 0).toString(16).padStart(8, '0');
    if ((checksum ?? crc) !== crc) throw new Incomplete(`other rows of ${name} came`);
  }
}

/**
 * Throw `Incomplete` unless as many rows *came* as were *counted*.
 * @param {number} came
 * @param {number} counted
 * @param {string} [domain]
 */
export const checkCount = (came, counted, domain = 'all') => {
  if (came !== counted) throw new Incomplete(`${came} of ${counted} rows came (${domain})`);
};

/**
 * Read the lines of *response*, one by one, until `complete` or `full_result`. Holds one line. Leaving the loop ends
 * the request. Throws `Truncated` when the stream ends or stalls before its last line, `Malformed` for bytes that are
 * no line, `Incomplete` when counts or checksums do not fit, `JobFailed` for an `error` line, `Refused` for a status
 * that is not 2xx, and the reason of *signal* when that is aborted.
 *
 * @template [App={}]
 * @param {Response} response
 * @param {object} [options]
 * @param {AbortSignal} [options.signal]
 * @param {number} [options.maxLineBytes]
 * @param {number} [options.timeout] seconds between two pieces
 * @param {Account} [options.account] of the same job, from earlier responses
 * @returns {AsyncGenerator<Line<App>, void, void>}
 */
export async function* readLines(
  response,
  { signal, maxLineBytes = LINE_BYTES, timeout, account = new Account() } = {},
) {
  if (!response.ok || !response.body) throw await refusal(response);
  const reader = response.body.getReader();
  const stop = () => reader.cancel().catch(() => {});
  const forget = onAbort(signal, stop);
  const cut = lineCutter(maxLineBytes);
  try {
    for (;;) {
      /** @type {{value?: Uint8Array, cause?: unknown}} */
      const { value, cause } = await inTime(reader.read(), timeout);
      signal?.throwIfAborted();
      if (!value) throw new Truncated(`cut after ${account.rows} rows`, { cause });
      for (const text of cut(value)) {
        const line = parse(text);
        await breath(); // each step takes 10 ms for 5,000 rows
        account.take(line, text);
        await breath();
        signal?.throwIfAborted();
        yield /** @type {any} */ (line);
        if (/^(complete|full_result)$/.test(line.type)) return;
      }
    }
  } finally {
    forget();
    stop();
  }
}

/**
 * Call *stop* when *signal* is aborted, unless the function that this returns was called before.
 * @param {AbortSignal | undefined} signal
 * @param {() => unknown} stop
 */
export function onAbort(signal, stop) {
  signal?.addEventListener('abort', stop);
  return () => signal?.removeEventListener('abort', stop);
}

/**
 * Split bytes into lines, however the network cut them; no byte is looked at more than a few times.
 * @param {number} maxLineBytes
 */
function lineCutter(maxLineBytes) {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // a byte order mark is no JSON
  let kept = ''; // of a line that is not whole
  let size = 0;
  /** @param {Uint8Array} [piece] nothing at the end of a line, where a character must not be open */
  const keep = (piece) => {
    size += piece?.length ?? 0;
    if (size > maxLineBytes) throw new Malformed(`a line of ${size} bytes or more, limit ${maxLineBytes}`);
    try {
      kept += utf8.decode(piece, { stream: !!piece });
    } catch (cause) {
      throw new Malformed('no UTF-8', { cause });
    }
  };
  /** @param {Uint8Array} piece */
  return function* (piece) {
    let from = 0;
    for (let end; (end = piece.indexOf(NEWLINE, from)) >= 0; from = end + 1) {
      keep(piece.subarray(from, end));
      keep();
      yield kept;
      kept = '';
      size = 0;
    }
    keep(piece.subarray(from));
  };
}

/**
 * Resolve as *promised* does within *seconds*, or with the *cause* of its failure. The time has two halves, so that a
 * tab that was suspended has one left when it wakes, to see the bytes that arrived meanwhile.
 * @template T
 * @param {Promise<T>} promised
 * @param {number} [seconds]
 * @returns {Promise<T | {cause: unknown}>}
 */
export const inTime = (promised, seconds = SILENCE_SECONDS) =>
  new Promise((resolve) => {
    const late = () => resolve({ cause: `silent for ${seconds} s` });
    let timer = setTimeout(() => (timer = setTimeout(late, 500 * seconds)), 500 * seconds);
    promised.then(resolve, (cause) => resolve({ cause })).finally(() => clearTimeout(timer));
  });

/**
 * @param {string} text
 * @returns {Line}
 */
function parse(text) {
  let line, cause;
  try {
    line = JSON.parse(text);
  } catch (error) {
    cause = error;
  }
  const type = line?.type;
  if (
    !type ||
    typeof type !== 'string' ||
    (type === 'records' && !Array.isArray((line.data ??= line.rows))) ||
    (type === 'aggregation' && !('data' in line))
  ) {
    throw new Malformed(`no line of a stream: ${text.slice(0, 60)}`, { cause });
  }
  if (type === 'progress') line.percent ??= null;
  if (type === 'error') throw new JobFailed(line.message, { problem: line.problem });
  return line;
}

/** Let the page draw and respond to its user; a timer would take a second in a tab in the background. */
const breath = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(0);
  });

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

/**
 * Compute the CRC-32 of zlib over the UTF-8 of *text*.
 * @param {string} text
 * @param {number} [crc] of the text before
 */
export function crc32(text, crc = 0) {
  crc = ~crc;
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]) & 255];
  return ~crc;
}
