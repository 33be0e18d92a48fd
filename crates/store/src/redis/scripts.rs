//! What is asked of the server: the scripts, each of which runs whole or not at all, and the keys of an account. All
//! are harmless when they are sent twice, since a connection may break between a script and its answer.

use redis::{Cmd, Script};

/// The keys of an account; the braces keep both in one slot of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) account: String,
    record: String,
    claim: String,
    pub(super) channel: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, account: &str) -> Self {
        let record = format!("{prefix}:{{{account}}}");
        Self {
            account: account.to_owned(),
            claim: format!("{record}:claim"),
            channel: format!("{record}:changed"),
            record,
        }
    }
}

/// One thing to ask, about one account.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) keys: Keys,
    script: &'static str,
    arguments: Vec<String>,
    with_claim: bool,
}

impl Call {
    pub(super) fn new<const N: usize>(keys: &Keys, script: &'static str, arguments: [&str; N]) -> Self {
        Self {
            keys: keys.clone(),
            script,
            arguments: arguments.map(str::to_owned).into(),
            with_claim: true,
        }
    }

    /// Reads the record alone: a cluster that is just moving it answers for one key, but not for one of two.
    pub(super) fn read(keys: &Keys) -> Self {
        Self {
            with_claim: false,
            ..Self::new(keys, READ, [])
        }
    }

    /// The call by the digest of its script, which the server may not know.
    pub(super) fn by_digest(&self) -> Cmd {
        self.with("EVALSHA", Script::new(self.script).get_hash())
    }

    /// The call with its script.
    pub(super) fn in_full(&self) -> Cmd {
        self.with("EVAL", self.script)
    }

    fn with(&self, command: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(command);
        let claim = self.with_claim.then_some(&self.keys.claim);
        command.arg(script).arg(if self.with_claim { 2 } else { 1 });
        command.arg(&self.keys.record).arg(claim);
        command.arg(&self.keys.channel).arg(&self.arguments);
        command
    }
}

// In all of them: KEYS are the record (a hash: session, guard, fence, nth) and the claim (the owner's token); ARGV[1] is the
// channel. A PUBLISH that is not allowed fails nothing: those who wait look for themselves.

/// What is kept. Gives `[session, guard]`.
const READ: &str = "return redis.call('HMGET', KEYS[1], 'session', 'guard')";

/// What is kept, and for how long the claim holds in milliseconds (-2: nobody has it). Gives `[ms, session, guard]`.
pub(super) const LOOK: &str = "
local kept = redis.call('HMGET', KEYS[1], 'session', 'guard')
return {redis.call('PTTL', KEYS[2]), kept[1], kept[2]}";

/// Takes the claim, unless somebody else has it. ARGV: owner, lease in ms, life of the record in ms. Gives `[fence,
/// session, guard]`, or nothing.
pub(super) const CLAIM: &str = "
if not redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) and redis.call('GET', KEYS[2]) ~= ARGV[2] then
  return false
end
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HDEL', KEYS[1], 'nth')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'session', 'guard')
return {fence, kept[1], kept[2]}";

/// Makes the claim last for a whole lease again. ARGV: owner, lease in ms. Gives whether it did.
pub(super) const RENEW: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[3])";

/// Writes both parts; an empty one is removed. ARGV: owner, fence, life of the record in ms, session, guard, which write of
/// this claim it is, lease in ms: it begins anew. Gives 1 when it was written, 0 when the claim did not hold any more, 2 when it did not but this
/// write had arrived before: nobody else can have written since; and 3 when somebody else has claimed since. A write that was sent again may also arrive on the
/// connection that broke, after the next one: it comes too late.
pub(super) const WRITE: &str = "
local known = redis.call('HMGET', KEYS[1], 'fence', 'nth')
if known[1] ~= ARGV[3] then return known[1] and 3 or 0 end
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return known[2] == ARGV[7] and 2 or 0 end
if tonumber(ARGV[7]) < tonumber(known[2] or 0) then return 0 end
redis.call('HSET', KEYS[1], 'nth', ARGV[7])
for at, name in ipairs({'session', 'guard'}) do
  local part = ARGV[4 + at]
  if part == '' then redis.call('HDEL', KEYS[1], name) else redis.call('HSET', KEYS[1], name, part) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
redis.pcall('PUBLISH', ARGV[1], 'written')
return 1";

/// Gives the claim back, if it is still ours. ARGV: owner.
pub(super) const RELEASE: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.pcall('PUBLISH', ARGV[1], 'released')
return 1";
