package channel

// sweepAfter is how many settled deliveries a list may carry beside as many as are not: with fewer, sweeping would cost
// more than it frees (40 bytes each).
const sweepAfter = 256
