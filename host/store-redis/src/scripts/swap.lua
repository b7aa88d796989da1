-- Takes a slot and a seat for each user, all or none. ARGV: time, expected version, end of the
-- lease, users of whom none stands twice. Answers the free slots; or, where it took none, what
-- stands, with the card in the second place.
local _, _, version, shares, opened, leased, closed, lenient = struct.unpack(layout, entry[1])
local slots, wanted = math.max(0, shares - opened - leased), last - first + 1
if closed == 1 then slots = 0 end
local stale = version ~= tonumber(ARGV[2]) or wanted > slots
for place = 2, wanted + 1 do
  stale = stale or entry[place]
end
if stale then
  table.insert(entry, 2, redis.call('HGET', key, 'c'))
  return entry
end
if wanted == 0 then return slots end
local until_ms, seats, ends = ARGV[3], {}, {}
for at = first, last do
  local place = 2 * (at - first) + 1
  seats[place], seats[place + 1] = ARGV[at], 's'
  ends[place], ends[place + 1] = until_ms, ARGV[at]
end
next_end = math.min(next_end, tonumber(until_ms))
local meta = struct.pack(layout, next_end, keep, version + 1, shares, opened, leased + wanted, closed, lenient)
redis.call('HSET', key, 'm', meta, unpack(seats))
redis.call('ZADD', leases, unpack(ends))
-- Where leases stand already, their key has its time to live.
if leased == 0 then redis.call('PEXPIRE', leases, keep - now + margin_ms) end
return slots - wanted
