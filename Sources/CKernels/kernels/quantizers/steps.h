/* SPDX-License-Identifier: Apache-2.0 */
/* What every quantizer does first: values in steps, bounded, rounded. */

typedef uint32_t bits __attribute__((vector_size(4 * NCK_LANES)));

INLINE vector lesser(vector a, vector b) { return choose(a < b, a, b); }

INLINE bits sign_of(vector v) { return (bits)v & 0x80000000u; }

INLINE vector absolute(vector v) { return (vector)((bits)v & 0x7fffffffu); }

/* NaN and -0 become +0, so that an error of zero has one sign; then clamped to +-2^20. */
INLINE vector bounded(vector t) {
    const vector most = splat(0x1p20f);
    t = choose((t < splat(0.0f)) | (t > splat(0.0f)), t, splat(0.0f));
    return lesser(greater(t, -most), most);
}

/* Half to even, for |t| <= 2^22. The result is never -0. */
INLINE vector rounded(vector t) { return (t + splat(NCK_ROUND_MAGIC)) - splat(NCK_ROUND_MAGIC); }
