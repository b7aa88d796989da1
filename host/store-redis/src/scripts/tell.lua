-- Tells a room. ARGV: time, subject, version, payload, events kept, time that a room is kept.
-- Answers the place of the event, or nothing where the room knows this or later already.
local room, told = KEYS[1], KEYS[2]
local now, subject, version = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local kept, kept_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local known = redis.call('HGET', told, subject)
if known and version <= tonumber(string.match(known, '^%d+')) then return false end

-- Where one of the two keys was evicted, whatever was in the room is gone.
local last = redis.call('HGET', told, 'last')
local is_there = redis.call('EXISTS', room) == 1
if is_there and not last then
  redis.call('UNLINK', room)
  is_there = false
elseif last and not is_there then
  redis.call('HSET', told, 'dropped', last)
end

-- A place that never falls back, and is never that of the beginning.
local ms, sequence = string.match(last or '0-0', '^(%d+)-(%d+)$')
if math.max(now, 1) > tonumber(ms) then
  ms, sequence = string.format('%.0f', math.max(now, 1)), '0'
else
  sequence = string.format('%.0f', tonumber(sequence) + 1)
end
local id = ms .. '-' .. sequence
redis.call('XADD', room, id, 'subject', subject, 'event', ARGV[4])
redis.call('HSET', told, 'last', id, subject, string.format('%.0f-%s', version, ms))
if not is_there then redis.call('HSET', told, 'first', id) end

-- Some more than have to be kept, so that not every event costs a look at the oldest.
local length = redis.call('XLEN', room)
if length >= kept + 64 then
  local old = redis.call('XRANGE', room, '-', '+', 'COUNT', length - kept)
  redis.call('XTRIM', room, 'MAXLEN', kept)
  for _, entry in ipairs(old) do
    -- A message is known as long as it is kept, a packet for longer.
    local of = entry[2][2]
    if string.sub(of, 1, 2) == ':m' then redis.call('HDEL', told, of) end
  end
  local first = redis.call('XRANGE', room, '-', '+', 'COUNT', 1)
  redis.call('HSET', told, 'dropped', old[#old][1], 'first', first[1][1])
end

-- Packets of long ago are forgotten when there are twice as many as after the last time.
local many = tonumber(redis.call('HGET', told, 'many') or 1024)
if redis.call('HLEN', told) >= many then
  local all, left = redis.call('HGETALL', told), 0
  for at = 1, #all, 2 do
    local told_ms = string.sub(all[at], 1, 2) == ':p' and string.match(all[at + 1], '-(%d+)$')
    if told_ms and tonumber(told_ms) + kept_ms <= now then
      redis.call('HDEL', told, all[at])
    else
      left = left + 1
    end
  end
  redis.call('HSET', told, 'many', math.max(2 * left, 1024))
end

redis.call('PEXPIRE', room, kept_ms)
redis.call('PEXPIRE', told, kept_ms)
redis.call('PUBLISH', room, '')
return id
