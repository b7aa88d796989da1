-- Reads all of a counter. ARGV: time.
return redis.call('HGETALL', key)
