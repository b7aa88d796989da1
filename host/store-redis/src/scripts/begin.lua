-- Begins every script about a counter that is there: reads it, and ends what has ended by the
-- caller's time. ARGV[1] is that time, ARGV[first] to ARGV[last] are fields that the caller asks
-- for, and `gone` is the answer where there is no counter.
-- Afterwards entry[1] is the meta data, and entry[2] and on are those fields.
local key, leases, now = KEYS[1], KEYS[2], tonumber(ARGV[1])
local entry = redis.call('HMGET', key, 'm', unpack(ARGV, first, last))
if not entry[1] then
  -- An eviction may have left them behind.
  redis.call('UNLINK', leases)
  return gone
end
local next_end, keep = struct.unpack('<dd', entry[1])
if now >= keep then
  redis.call('UNLINK', key, leases)
  return gone
end
if now >= next_end then
  local _, _, version, shares, opened, leased, closed, lenient = struct.unpack(layout, entry[1])
  local freed = 0
  repeat
    -- In parts, since Lua's stack has no room for more than some thousand arguments.
    local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', ARGV[1], 'LIMIT', 0, 1000)
    if ended[1] then
      for _, seat in ipairs(redis.call('HMGET', key, unpack(ended))) do
        if seat == 's' then freed = freed + 1 end
      end
      redis.call('HDEL', key, unpack(ended))
      redis.call('ZREM', leases, unpack(ended))
    end
  until not ended[1]
  leased = leased - freed
  local following = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2]
  if leased > 0 and not following then
    -- The leases were evicted, so their slots would never come back. The ledger knows better.
    redis.call('UNLINK', key)
    return gone
  end
  next_end = tonumber(following) or math.huge
  if freed > 0 then version = version + 1 end
  redis.call('HSET', key, 'm', struct.pack(layout, next_end, keep, version, shares, opened, leased, closed, lenient))
  entry = redis.call('HMGET', key, 'm', unpack(ARGV, first, last))
end
