-- Seats users who hold no seat, without taking slots. ARGV: time, end of the lease, users.
local until_ms, seats, ends = ARGV[2], {}, {}
for at = first, last do
  if not entry[at - first + 2] then
    seats[#seats + 1], seats[#seats + 2] = ARGV[at], 'a'
    ends[#ends + 1], ends[#ends + 2] = until_ms, ARGV[at]
  end
end
if not seats[1] then return 0 end
local meta = struct.pack('<d', math.min(next_end, tonumber(until_ms))) .. string.sub(entry[1], 9)
redis.call('HSET', key, 'm', meta, unpack(seats))
redis.call('ZADD', leases, unpack(ends))
redis.call('PEXPIRE', leases, keep - now + margin_ms)
return 1
