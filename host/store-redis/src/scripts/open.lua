-- Starts a counter if there is none. ARGV: time, meta data, card, then each user who has opened
-- and the amount.
local key, leases = KEYS[1], KEYS[2]
local now, meta = tonumber(ARGV[1]), redis.call('HGET', key, 'm')
if meta then
  local _, keep = struct.unpack('<dd', meta)
  if now < keep then return 0 end
  redis.call('UNLINK', key)
end
-- Before anything else is written: a server whose memory is full would let a script go on that has
-- written something, and counters would grow past its limit.
redis.call('HSET', key, 'm', ARGV[2], 'c', ARGV[3])
redis.call('UNLINK', leases)
for at = 4, #ARGV, 1000 do
  redis.call('HSET', key, unpack(ARGV, at, math.min(at + 999, #ARGV)))
end
local _, keep = struct.unpack('<dd', ARGV[2])
redis.call('PEXPIRE', key, math.max(keep - now, 0) + margin_ms)
return 1
