"""Lua scripts of `RedisStore`, each of which Redis runs in one step, while nobody else writes.

The answer is a list whose first word says how it went. A script whose answer was lost on the way may run again: the
*nonce*, or the data themselves, show that it has run.
"""

from __future__ import annotations

NONCE = ":nonce"  # no fact has this name

# A full server refuses a script that begins by writing more, and lets one go on that began by removing something. So
# what is there can be finished, cancelled and held, and only a new job or chunk is refused.
_MAKE_ROOM = "redis.call('HDEL', KEYS[1], ':room')\n"

_FENCE = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return {'lost', redis.call('HGET', KEYS[1], 'token') or ''}
end
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS: claim. ARGV: the job that it may belong to or '', the job that wants it, milliseconds.
CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]
"""

# KEYS: meta, facts. One step and no MULTI, which a full server refuses. Facts that are no hash are none.
READ = """
local ours = redis.pcall('HGETALL', KEYS[2])
if ours['err'] then ours = {} end
return {redis.call('HGETALL', KEYS[1]), ours}
"""

# KEYS: meta, facts. ARGV: contract's facts, ours (both JSON), nonce, milliseconds.
CREATE = """
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('HGET', KEYS[2], ':nonce') == ARGV[3] then return {'ok'} end
  return {'exists'}
end
for name, value in pairs(cjson.decode(ARGV[1])) do redis.call('HSET', KEYS[1], name, value) end
for name, value in pairs(cjson.decode(ARGV[2])) do redis.call('HSET', KEYS[2], name, value) end
redis.call('HSET', KEYS[2], ':nonce', ARGV[3])
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end
return {'ok'}
"""

# KEYS: lease, meta, facts. ARGV: token or '', contract's facts, ours, nonce, milliseconds, only_if, ended (JSON lists).
CHANGE = (
    """
if redis.call('EXISTS', KEYS[2]) == 0 then return {'gone'} end
if redis.call('HGET', KEYS[3], ':nonce') ~= ARGV[4] then
  if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
    return {'lost', redis.call('HGET', KEYS[1], 'token') or ''}
  end
  local status = redis.call('HGET', KEYS[2], 'status') or ''
  local changes = cjson.decode(ARGV[2])
  local function has(list)
    for _, word in ipairs(cjson.decode(list)) do if word == status then return true end end
    return false
  end
  if ARGV[6] ~= '' and not has(ARGV[6]) then return {'conflict', status} end
  if changes['status'] and changes['status'] ~= status and has(ARGV[7]) then return {'conflict', status} end
"""
    + _MAKE_ROOM
    + """
  for name, value in pairs(changes) do redis.call('HSET', KEYS[2], name, value) end
  for name, value in pairs(cjson.decode(ARGV[3])) do redis.call('HSET', KEYS[3], name, value) end
  redis.call('HSET', KEYS[3], ':nonce', ARGV[4])
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
end
return {'ok', redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
"""
)

# KEYS: lease, meta, result:meta, journal. ARGV: owner, nonce, lease in milliseconds, milliseconds, ended.
ACQUIRE = (
    _NOW
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return {'gone'} end
if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[2] then
  if redis.call('EXISTS', KEYS[3]) == 1 then return {'ended', 'finished'} end
  local status = redis.call('HGET', KEYS[2], 'status') or ''
  for _, word in ipairs(cjson.decode(ARGV[5])) do if word == status then return {'ended', status} end end
  if tonumber(redis.call('HGET', KEYS[1], 'until') or 0) > now then
    return {'held', redis.call('HGET', KEYS[1], 'owner')}
  end
"""
    + _MAKE_ROOM
    + """
  redis.call('HINCRBY', KEYS[1], 'token', 1)
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'nonce', ARGV[2], 'until', now + ARGV[3], 'touched', now)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return {'ok', redis.call('HGET', KEYS[1], 'token'), redis.call('LLEN', KEYS[4])}
"""
)

# KEYS: lease, journal, then the chunks that go. ARGV: token, length, bytes that stay.
CUT = (
    _FENCE
    + """
if ARGV[2] == '0' then redis.call('DEL', KEYS[2]) else redis.call('LTRIM', KEYS[2], 0, ARGV[2] - 1) end
for at = 3, #KEYS do redis.call('DEL', KEYS[at]) end
redis.call('HSET', KEYS[1], 'bytes', ARGV[3])
return {'ok'}
"""
)

# KEYS: lease, meta, facts, journal. ARGV: token, lease in milliseconds, milliseconds. Answers when chunks need it, too.
RENEW = (
    _FENCE
    + _NOW
    + _MAKE_ROOM
    + """
redis.call('HSET', KEYS[1], 'until', now + ARGV[2])
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
if now - redis.call('HGET', KEYS[1], 'touched') > ARGV[3] / 3 then
  redis.call('HSET', KEYS[1], 'touched', now)
  return {'touch'}
end
return {'ok'}
"""
)

# KEYS: lease. ARGV: token.
RELEASE = _FENCE + _MAKE_ROOM + "redis.call('HSET', KEYS[1], 'until', 0)\nreturn {'ok'}\n"

# KEYS: lease. Answers the owner of a lease that has not run out.
HOLDER = (
    _NOW
    + """
if tonumber(redis.call('HGET', KEYS[1], 'until') or 0) > now then
  return {'ok', redis.call('HGET', KEYS[1], 'owner')}
end
return {'free'}
"""
)

# KEYS: lease, journal, chunk (none when it overflows). ARGV: token, position, entry, milliseconds, data.
APPEND = (
    _FENCE
    + """
local length = redis.call('LLEN', KEYS[2])
if length == ARGV[2] + 1 and redis.call('LINDEX', KEYS[2], ARGV[2]) == ARGV[3] then return {'ok'} end
if length ~= tonumber(ARGV[2]) then return {'length', length} end
if KEYS[3] then
  redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[4])
  redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[5])
end
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'ok'}
"""
)

# KEYS: lease, journal, chunks, as many chunks of another job, which move there. ARGV: token, position, milliseconds,
# entries. None moves when one is gone: its number among them, from 0, is answered.
ADOPT = (
    _FENCE
    + """
local count, length = #ARGV - 3, redis.call('LLEN', KEYS[2])
if length == ARGV[2] + count and redis.call('LINDEX', KEYS[2], -1) == ARGV[#ARGV] then return {'ok'} end
if length ~= tonumber(ARGV[2]) then return {'gone', 0} end
for at = 1, count do
  if redis.call('EXISTS', KEYS[2 + count + at]) == 0 then return {'gone', at - 1} end
end
for at = 1, count do
  redis.call('RENAME', KEYS[2 + count + at], KEYS[2 + at])
  redis.call('PEXPIRE', KEYS[2 + at], ARGV[3])
  redis.call('HINCRBY', KEYS[1], 'bytes', redis.call('STRLEN', KEYS[2 + at]))
  redis.call('RPUSH', KEYS[2], ARGV[3 + at])
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'ok'}
"""
)

# KEYS: lease, result:index, result:meta, result:aggregation, meta, facts, journal.
# ARGV: token, index, meta, aggregation or '', milliseconds, milliseconds of what must outlive the result.
FINISH = (
    _FENCE
    + _MAKE_ROOM
    + """
if ARGV[4] ~= '' then redis.call('SET', KEYS[4], ARGV[4], 'PX', ARGV[6]) end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[6])
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[5])
for _, at in ipairs({1, 5, 6, 7}) do redis.call('PEXPIRE', KEYS[at], ARGV[6]) end
return {'ok'}
"""
)
