export type Row = import('./ndjson.js').Row;
export type Column = import('./ndjson.js').Column;
export type ProgressLine = import('./ndjson.js').ProgressLine;
export type State = 'idle' | 'running' | 'complete' | 'failed' | 'cancelled';
export type DomainRows<OneRow = Row> = {
    columns: Column[];
    rows: OneRow[];
    count: number;
};
export type Domains<App = {}> = {
    [Domain in keyof import('./ndjson.js').RowsOf<App>]?: DomainRows<import('./ndjson.js').RowsOf<App>[Domain]>;
};
export type Shown<T> = import('vue').ShallowRef<T>;
export type TraceProgress<App = {}> = {
    state: Shown<State>;
    jobId: Shown<string | null>;
    progress: Shown<Partial<ProgressLine>>;
    domains: Shown<Domains<App>>;
    aggregation: Shown<import('./ndjson.js').AggregationLine<App>['data'] | null>;
    failedDomains: Shown<string[]>;
    error: Shown<Error | null>;
    start: (wanted: import('./jobs.js').Wanted) => Promise<void>;
    cancel: () => void;
};
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
export declare function useTraceProgress<App = {}>(url: string, { keep, ...options }?: {
    keep?: number;
} & Omit<import('./jobs.js').Options, 'signal'>): TraceProgress<App>;
