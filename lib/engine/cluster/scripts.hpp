#pragma once

/// What is done in Redis at once or not at all (EVAL). Each compares the owner first, so that nobody writes who is no
/// longer the owner, and finds out by it.
namespace natkit::cluster::scripts {

/// Becomes the owner. KEYS: owner. ARGV: epoch, node, format, "raise" or "settle", own stream, names of states without
/// their number, milliseconds after which a silent owner counts as dead; one whose last entry is a standby's is none.
/// Gives 1, epoch, the state's number; 0, epoch, node: another is and stays the owner; -1, format: a newer one.
inline constexpr const char* claim = R"(
local o = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'node', 'stream', 'state', 'at')
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local epoch, theirs = tonumber(ARGV[1]), tonumber(o[2] or '0') or 0
local newer = o[1] and (tonumber(o[1]) or 0) > tonumber(ARGV[3])
if o[3] and o[3] ~= ARGV[2] and theirs >= epoch then
  if ARGV[4] == 'settle' then
    local heard = tonumber(o[6] or '0') or 0
    local last = redis.pcall('XREVRANGE', o[4] or '', '+', '-', 'COUNT', 1)
    if last[1] then
      local at, owns = tonumber(string.match(last[1][1], '^%d+')), false
      for i = 1, #last[1][2], 2 do owns = owns or last[1][2][i] == 'e' end
      if owns then heard = math.max(heard, at) elseif at > heard then heard = 0 end
    end
    if now - heard < tonumber(ARGV[7]) then return {0, o[2], o[3]} end
  end
  epoch = theirs + 1
elseif theirs > epoch then
  epoch = theirs
end
if newer then return {-1, o[1]} end
if ARGV[4] == 'raise' and theirs >= epoch then epoch = theirs + 1 end
local number = redis.call('HINCRBY', KEYS[1], 'number', 1)
local state = ARGV[6] .. string.format('%d', number)
local after = '0-0'
local last = redis.pcall('XREVRANGE', ARGV[5], '+', '-', 'COUNT', 1)
if last[1] then after = last[1][1] end
if o[5] and o[5] ~= '' then
  redis.call('EXPIRE', o[5], 3600)
  redis.call('HSET', KEYS[1], 'former', o[5])
end
redis.call('UNLINK', state)
redis.call('HSET', state, 'format', ARGV[3])
redis.call('EXPIRE', state, 3600)
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'epoch', string.format('%d', epoch), 'node', ARGV[2], 'state', '',
           'stream', ARGV[5], 'after', after, 'at', string.format('%d', now))
return {1, string.format('%d', epoch), string.format('%d', number)}
)";

/// Writes a batch. KEYS: owner, state, stream. ARGV: epoch, node, format, clock, most entries of the stream, how many
/// of the pairs that follow are put; then key and envelope of each of those, and of those that are gone.
/// Gives 1, the entry's id; 0, epoch, node: the owner is another ("" and "": there is none, or not this state).
inline constexpr const char* write = R"(
local o = redis.call('HMGET', KEYS[1], 'epoch', 'node')
if not o[1] or not o[2] then return {0, '', ''} end
if o[1] ~= ARGV[1] or o[2] ~= ARGV[2] then return {0, o[1], o[2]} end
if redis.call('EXISTS', KEYS[2]) == 0 then return {0, '', ''} end
local texts, puts = {}, tonumber(ARGV[6])
for i = 7, #ARGV, 2 do
  texts[#texts + 1] = ARGV[i + 1]
  if #texts <= puts then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) else redis.call('HDEL', KEYS[2], ARGV[i]) end
end
local s = string.format('%d', redis.call('HINCRBY', KEYS[1], 's', 1))
return {1, redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'v', ARGV[3], 's', s, 'e', ARGV[1], 'k', KEYS[2],
                      'c', ARGV[4], 'r', table.concat(texts, '\n'))}
)";

/// The state is whole: others may read it. KEYS: owner, state. ARGV: epoch, node. Gives 1, or 0 as above.
inline constexpr const char* show = R"(
local o = redis.call('HMGET', KEYS[1], 'epoch', 'node', 'former')
if o[1] ~= ARGV[1] or o[2] ~= ARGV[2] or redis.call('EXISTS', KEYS[2]) == 0 then return {0, o[1] or '', o[2] or ''} end
redis.call('PERSIST', KEYS[2])
redis.call('HSET', KEYS[1], 'state', KEYS[2])
if o[3] and o[3] ~= KEYS[2] then redis.call('UNLINK', o[3]) end
redis.call('HDEL', KEYS[1], 'former')
return {1}
)";

/// Renews a node's lease, and tells who else has one. KEYS: its own, then the others'. ARGV: value, boot, milliseconds.
/// Gives 1, whether it was there before, and the others' values (nil: none); 0: another boot has it.
inline constexpr const char* lease = R"(
local v, ours = redis.call('GET', KEYS[1]), 0
if v then
  local ok, held = pcall(cjson.decode, v)
  if ok and type(held) == 'table' and type(held.boot) == 'string' then
    if held.boot ~= ARGV[2] then return {0} end
    ours = 1
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
local out = {1, ours}
for i = 2, #KEYS do out[i + 1] = redis.call('GET', KEYS[i]) end
return out
)";

/// Removes what a dead node has left behind and somebody has by now. KEYS: lease, owner, state. ARGV: keys of records.
/// Does nothing where the node lives, or has another state.
inline constexpr const char* remove = R"(
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HGET', KEYS[2], 'state') ~= KEYS[3] then return 0 end
return redis.call('HDEL', KEYS[3], unpack(ARGV))
)";

}  // namespace natkit::cluster::scripts
