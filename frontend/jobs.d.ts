export type Wanted = {
    profile: string;
    container_ids: (string | number)[];
    domains: string[];
    params?: Record<string, any>;
    [input: string]: any;
};
export type Status = {
    job_id: string;
    status: string;
    domains: string[];
    progress: Record<string, any>;
    elapsed_seconds: number;
    error: string | null;
};
export type Options = {
    /**
     * ends everything: requests, pauses and, with `trace`, the job
     */
    signal?: AbortSignal;
    /**
     * sent with every request
     */
    headers?: Record<string, string>;
    /**
     * of every request, such as `include` for a server of another origin
     */
    credentials?: RequestCredentials;
    /**
     * seconds of pauses without an answer before giving up
     */
    patience?: number;
    /**
     * seconds before something is asked again for the first time
     */
    pause?: number;
    maxLineBytes?: number;
    /**
     * seconds for an answer, or for the next piece of a stream
     */
    timeout?: number;
};
export type Line<App = {}> = import('./ndjson.js').Line<App>;
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
export declare function trace<App = {}>(url: string, wanted: Wanted, options?: Options): AsyncGenerator<Line<App>, void, void>;
/**
 * Ask for events. The answer is a *response* for `readLines`, or a *job* to follow.
 * Throws `Refused` for too many (413, with `problem.limit`), busy (503, with `retryAfter`) and the like.
 * @param {string} url
 * @param {Wanted} wanted
 * @param {Options} [options]
 * @returns {Promise<{response: Response, job?: undefined} | {job: Status, response?: undefined}>}
 */
export declare function submit(url: string, wanted: Wanted, { signal, ...options }?: Options): Promise<{
    response: Response;
    job?: undefined;
} | {
    job: Status;
    response?: undefined;
}>;
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
export declare function follow<App = {}>(url: string, jobId: string, options?: Options): AsyncGenerator<Line<App>, void, void>;
/**
 * Ask a job to stop.
 * @param {string} url
 * @param {string} jobId
 * @param {Options} [options] its signal is ignored, because this call follows an abort
 */
export declare function cancel(url: string, jobId: string, { signal, ...options }?: Options): Promise<void>;
