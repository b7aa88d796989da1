-- Tries out what the other scripts do, and leaves nothing behind. ARGV: some meta data.
-- The first command needs memory: a server that is full lets a script go on once it has written something.
local key, leases = KEYS[1], KEYS[2]
redis.call('HSET', key, 'm', ARGV[1], ':', 's')
redis.call('PEXPIRE', key, 60000)
redis.call('ZADD', leases, 1, ':')
redis.call('PEXPIRE', leases, 60000)
redis.call('HGET', key, 'm')
redis.call('HMGET', key, 'm', ':')
redis.call('HGETALL', key)
redis.call('ZCOUNT', leases, '-inf', 1)
redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
redis.call('ZRANGEBYSCORE', leases, '-inf', 1, 'LIMIT', 0, 1)
struct.unpack('<d', struct.pack('<d', 1))
redis.call('HDEL', key, ':')
redis.call('ZREM', leases, ':')
redis.call('UNLINK', key, leases)
return 1
