/* Resolves after that many milliseconds, or as soon as nobody wants to wait any longer. */
export function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        if (signal?.aborted) {
            resolve();
            return;
        }
        const timer = setTimeout(resolve, milliseconds);
        signal?.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve();
        });
    });
}

/* The same promise, which fails when nothing has come of it in time. */
export function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
        promise.then(resolve, reject).finally(() => clearTimeout(timer));
    });
}
