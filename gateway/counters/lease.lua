-- Charge calls against GCRA limits and lease a few tokens ahead. One script run answers a batch of calls, in order.
--
-- ARGV: processes, most tokens to lease ahead (or 100 ms worth, if that is more), number of calls; then for each call the
--       number of its limits and for each limit its interval in microseconds and its burst. KEYS: one for each limit of each call, in the same order.
-- Answer: for each limit {tokens, microseconds until full}. Tokens are 0 for every limit of a call that is refused, and -1 for
--       the limits that refuse it. A call is charged to all of its limits or to none.
--
-- Only the lower half of a burst is ever leased ahead, and shared by the processes, so that unused leases never refuse a call
-- while the caller has kept to half of the burst. Time is this server's. A key holds microseconds since 1_700_000_000 (2023),
-- which keeps the sums exact to a hundredth of a microsecond, and disappears when its partition is full.

local clock = redis.call('TIME')
local now = (clock[1] - 1700000000) * 1000000 + clock[2]
local processes, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local tats = {}
local answer = {}
local argument, first = 4, 1

local function ahead(key, interval, burst)
  local tat = tats[key] or tonumber(redis.call('GET', key) or 0) or 0
  if tat ~= tat then
    tat = 0  -- somebody wrote "nan"
  elseif tat > now + burst * interval then  -- the limit was changed, or this server's clock set back
    tats[key] = now + burst * interval
    return burst * interval
  end
  return math.max(tat - now, 0)
end

for _ = 1, tonumber(ARGV[3]) do
  local count = tonumber(ARGV[argument])
  local charged, refused = {}, false
  for i = 1, count do
    local key = KEYS[first + i - 1]
    local interval, burst = tonumber(ARGV[argument + 2 * i - 1]), tonumber(ARGV[argument + 2 * i])
    local used = charged[key] or ahead(key, interval, burst)
    local free = math.floor(burst - used / interval + 0.000001)
    if free < 1 then
      refused = true
      answer[first + i - 1] = {-1, math.ceil(ahead(key, interval, burst))}
    else
      local ahead_of_need = math.floor((free - 1 - burst / 2) / processes)
      local tokens = 1 + math.max(0, math.min(ahead_of_need, math.max(most, math.floor(100000 / interval))))
      charged[key] = used + tokens * interval
      answer[first + i - 1] = {tokens, math.ceil(charged[key])}
    end
  end
  for i = 1, count do
    local key, entry = KEYS[first + i - 1], answer[first + i - 1]
    if not refused then
      tats[key] = now + charged[key]
    elseif entry[1] > 0 then
      local interval, burst = tonumber(ARGV[argument + 2 * i - 1]), tonumber(ARGV[argument + 2 * i])
      answer[first + i - 1] = {0, math.ceil(ahead(key, interval, burst))}
    end
  end
  argument, first = argument + 1 + 2 * count, first + count
end

for key, tat in pairs(tats) do
  redis.call('SET', key, string.format('%.3f', tat), 'PX', math.ceil((tat - now) / 1000) + 1)
end
return answer
