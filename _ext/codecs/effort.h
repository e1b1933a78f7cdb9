/* zlib's search parameters by level: good length, lazy length, nice length, chain length. Levels 1 and 2 look further,
   as stopping at a match of 8 or 16 bytes made bit-shuffled text 9 to 18 % larger and unshuffled items of odd sizes
   6 %. */
static const int ZC_EFFORT[10][4] = {
    {0, 0, 0, 0}, {4, 4, 32, 16}, {4, 6, 32, 32}, {4, 6, 32, 32}, {4, 4, 16, 16}, {8, 16, 32, 32},
    {8, 16, 128, 128}, {8, 32, 128, 256}, {32, 128, 258, 1024}, {32, 258, 258, 4096},
};
