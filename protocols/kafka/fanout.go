package kafka

import "sync"

// fanOut calls f(0..n-1), up to fanOutMax at a time, and returns when all returned. Each read index costs a round trip;
// those of many partitions share it when they are asked for together.
func fanOut(n int, f func(i int)) {
	if n == 1 {
		f(0)
		return
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		next int
	)
	for range min(n, fanOutMax) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n {
					return
				}
				f(i)
			}
		}()
	}
	wg.Wait()
}
