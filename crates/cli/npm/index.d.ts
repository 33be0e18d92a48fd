/** The path of the `preopen` program of this platform. Throws when npm has not installed its package. */
export declare function path(): string;
