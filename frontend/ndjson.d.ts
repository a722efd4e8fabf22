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
export type Row = Record<string, any> | any[];
export type Column = {
    name: string;
    type?: string;
    decimals?: string;
};
export type DomainTotal = {
    rows: number;
    checksum: string;
};
export type MetaLine = {
    type: 'meta';
    job_id: string | null;
    profile: string | null;
    domains: string[];
    version?: number;
    cid_count?: number | null;
    shape?: 'objects' | 'arrays';
};
export type DomainStartLine = {
    type: 'domain_start';
    domain: string;
    total: number | null;
    columns?: Column[];
};
export type DomainEndLine = {
    type: 'domain_end';
    domain: string;
    count: number;
    status?: string;
    checksum?: string;
};
export type WarningLine = {
    type: 'warning';
    code: string;
    failed_domains: string[];
    failed_keys?: object[];
};
export type ProgressLine = {
    type: 'progress';
    elapsed_seconds: number;
    rows: number;
    percent?: number | null;
    keys?: number;
    keys_total?: number;
    status?: string;
};
export type CompleteLine = {
    type: 'complete';
    total_records: number;
    domains?: Record<string, DomainTotal>;
    elapsed_seconds?: number;
};
export type FullResultLine = {
    type: 'full_result';
    data: Record<string, any>;
};
export type Details = {
    cause?: unknown;
    name?: string;
    /**
     * the same request may succeed a little later
     */
    passing?: boolean;
    /**
     * of the response
     */
    status?: number;
    /**
     * seconds
     */
    retryAfter?: number;
    /**
     * of the server (RFC 9457): `code`, and with 413 `cid_count` and `limit`
     */
    problem?: Record<string, any>;
};
export type RowsOf<App = {}> = App extends {
    domains: infer Rows;
} ? Rows : Record<string, Row>;
export type RecordsLine<App = {}> = {
    [Domain in keyof RowsOf<App> & string]: {
        type: 'records';
        domain: Domain;
        batch: number;
        count: number;
        data: RowsOf<App>[Domain][];
    };
}[keyof RowsOf<App> & string];
export type AggregationLine<App = {}> = {
    type: 'aggregation';
    data: App extends {
        aggregation: infer Data;
    } ? Data : Record<string, any>;
};
export type Line<App = {}> = MetaLine | DomainStartLine | RecordsLine<App> | DomainEndLine | AggregationLine<App> | WarningLine | ProgressLine | CompleteLine | FullResultLine | (App extends {
    lines: infer More;
} ? More : never);
/**
 * Base of all errors of these modules.
 * @type {new (message: string, details?: Details) => Error & Details}
 */
export declare const MesbatchError: new (message: string, details?: Details) => Error & Details;
/** End of a stream before its last line: the rows are incomplete. */
export declare const Truncated: new (message: string, details?: Details) => Error & Details;
/** Bytes that are no line of a stream, such as the page of a proxy, or a line over the cap. */
export declare const Malformed: new (message: string, details?: Details) => Error & Details;
/** Lack of an answer. */
export declare const Unreachable: new (message: string, details?: Details) => Error & Details;
/** Rows that are not those that the server counted. */
export declare const Incomplete: new (message: string, details?: Details) => Error & Details;
/** Failure of the read, from an `error` line or from the status of a job. */
export declare const JobFailed: new (message: string, details?: Details) => Error & Details;
/** Answer of the server with a *status* that is not 2xx. */
export declare const Refused: new (message: string, details?: Details) => Error & Details;
/**
 * Make an error of *response*.
 * @param {Response} response
 */
export declare function refusal(response: Response): Promise<Error & Details>;
/** Account of the rows of a job that came so far, over any number of responses. */
export declare class Account {
    #private;
    /** Number of `records` lines that came, from which a resumed stream goes on. */
    lines: number;
    rows: number;
    /** @type {Map<string, {rows: number, batches: number, crc: number}>} */
    domains: Map<string, {
        rows: number;
        batches: number;
        crc: number;
    }>;
    /**
     * Look up the account of *domain*.
     * @param {string} domain
     */
    of(domain: string): {
        rows: number;
        batches: number;
        crc: number;
    };
    /**
     * Count the rows of *line*, written as *text*, or compare its totals with those that came.
     * @param {Line} line
     * @param {string} text
     */
    take(line: Line, text: string): void;
}
/**
 * Throw `Incomplete` unless as many rows *came* as were *counted*.
 * @param {number} came
 * @param {number} counted
 * @param {string} [domain]
 */
export declare const checkCount: (came: number, counted: number, domain?: string) => void;
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
export declare function readLines<App = {}>(response: Response, { signal, maxLineBytes, timeout, account }?: {
    signal?: AbortSignal;
    maxLineBytes?: number;
    timeout?: number;
    account?: Account;
}): AsyncGenerator<Line<App>, void, void>;
/**
 * Call *stop* when *signal* is aborted, unless the function that this returns was called before.
 * @param {AbortSignal | undefined} signal
 * @param {() => unknown} stop
 */
export declare function onAbort(signal: AbortSignal | undefined, stop: () => unknown): () => void | undefined;
/**
 * Resolve as *promised* does within *seconds*, or with the *cause* of its failure. The time has two halves, so that a
 * tab that was suspended has one left when it wakes, to see the bytes that arrived meanwhile.
 * @template T
 * @param {Promise<T>} promised
 * @param {number} [seconds]
 * @returns {Promise<T | {cause: unknown}>}
 */
export declare const inTime: <T>(promised: Promise<T>, seconds?: number) => Promise<T | {
    cause: unknown;
}>;
/**
 * Compute the CRC-32 of zlib over the UTF-8 of *text*.
 * @param {string} text
 * @param {number} [crc] of the text before
 */
export declare function crc32(text: string, crc?: number): number;
