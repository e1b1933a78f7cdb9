/* LZ4 for blocks of any size with one state. To clear its table of 16 KiB takes longer than to encode a few hundred
   bytes; LZ4 can go on with the table of the last block, of which it then takes no match, so that the bytes are the
   same. The library declares that function only for static linking; shared ones may not have it. */
#ifndef ZCHUNK_LZ4_SMALL_H
#define ZCHUNK_LZ4_SMALL_H

#include <string.h>

extern int LZ4_sizeofState(void);
extern int LZ4_compress_fast_extState(void *state, const char *src, char *dst, int n, int cap, int acceleration);
#ifdef ZCHUNK_SYSTEM_LIBS
#define ZC_LZ4_SMALL LZ4_compress_fast_extState
#else
#define ZC_LZ4_SMALL LZ4_compress_fast_extState_fastReset
extern int LZ4_compress_fast_extState_fastReset(void *state, const char *src, char *dst, int n, int cap,
                                                int acceleration);
#endif

/* `state` is zeros at first. Returns 0 if `cap` is too little. */
static int zc_lz4_encode(void *state, const char *src, char *dst, int n, int cap, int acceleration) {
    /* From 4 KiB on LZ4 clears the table either way. */
    int got = n < 4096 ? ZC_LZ4_SMALL(state, src, dst, n, cap, acceleration)
                       : LZ4_compress_fast_extState(state, src, dst, n, cap, acceleration);
    /* What a failure leaves is no state to go on with. */
    if (got <= 0) memset(state, 0, (size_t)LZ4_sizeofState());
    return got;
}

#endif
