/** Limits of the X-Matrix authorization header. */

/** Longest header value that is read, in characters. Real ones stay below 1,000. */
export const X_MATRIX_HEADER_CHARS_MAX = 8192
/** Most parameters of one header, unknown ones included. */
export const X_MATRIX_PARAMETERS_MAX = 32
/** Most Authorization headers of one request that are looked at. */
export const X_MATRIX_HEADERS_MAX = 16
