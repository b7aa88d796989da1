-- Makes seats permanent. ARGV: time, users, then the amount of each user, which stays text since
-- a number of Lua cannot hold every amount.
local _, _, version, shares, opened, leased, closed, lenient = struct.unpack(layout, entry[1])
local seats, ended, seen = {}, {}, {}
for at = first, last do
  local user, seat = ARGV[at], entry[at - first + 2]
  local is_lease = seat == 's' or seat == 'a'
  if not seen[user] and (is_lease or not seat) then
    seen[user] = true
    opened, version = opened + 1, version + 1
    if seat == 's' then leased = leased - 1 end
    if is_lease then ended[#ended + 1] = user end
    seats[#seats + 1], seats[#seats + 2] = user, ARGV[at + last - first + 1]
  end
end
if not seats[1] then return 0 end
local meta = struct.pack(layout, next_end, keep, version, shares, opened, leased, closed, lenient)
redis.call('HSET', key, 'm', meta, unpack(seats))
if ended[1] then redis.call('ZREM', leases, unpack(ended)) end
return 1
