//! Payment streams: a sender locks an amount, and the recipient earns it second by second.
//!
//! Amounts are in the token's smallest unit, times in Unix seconds. What has been earned is linear and floored.
#![no_std]

mod stream;

use soroban_sdk::{contract, contracterror, contractimpl, contracttype, symbol_short, token, Address, Env, Vec};
use soroban_sdk::{IntoVal, Symbol, Val};

use stream::{Status, Stream};

const ROW_TTL: (u32, u32) = (241_920, 1_555_200);
const INSTANCE_TTL: (u32, u32) = (120_960, 518_400);

/// The interface's errors; this contract has no tokens to block, no fees and no nonces, and ends with fewer of them.
#[contracterror]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Error {
    NotFound = 1,
    Unauthorized = 2,
    ContractPaused = 3,
    InvalidAmount = 4,
    InvalidTimeRange = 5,
    InvalidState = 6,
    OverWithdraw = 7,
    AlreadySettled = 8,
    TokenNotAllowed = 9,
    Overflow = 10,
    StreamLimitExceeded = 11,
    SelfStream = 12,
    AlreadyInitialized = 13,
    NonceTooLow = 14,
    NonceOutOfOrder = 15,
    RecipientTrustlineMissing = 16,
    FeeTooHigh = 17,
    InvalidFeeBps = 18,
    SweepNoFees = 19,
    SweepAmountMismatch = 20,
    AdminCooldown = 21,
    CooloffActive = 22,
}

#[contracttype]
#[derive(Clone)]
enum Key {
    Admin,
    Paused,
    StreamCount,
    Stream(u64),
}

#[contract]
pub struct StreamContract;

#[contractimpl]
impl StreamContract {
    pub fn initialize(env: Env, admin: Address) -> Result<(), Error> {
        if env.storage().instance().has(&Key::Admin) {
            return Err(Error::AlreadyInitialized);
        }
        admin.require_auth();
        env.storage().instance().set(&Key::Admin, &admin);
        env.storage().instance().set(&Key::Paused, &false);
        extend_instance(&env);
        Ok(())
    }

    pub fn set_paused(env: Env, admin: Address, paused: bool) -> Result<(), Error> {
        admin.require_auth();
        match env.storage().instance().get::<Key, Address>(&Key::Admin) {
            None => Err(Error::NotFound),
            Some(stored) if stored != admin => Err(Error::Unauthorized),
            Some(_) => {
                env.storage().instance().set(&Key::Paused, &paused);
                extend_instance(&env);
                Ok(())
            }
        }
    }

    pub fn create_draft_stream(
        env: Env,
        sender: Address,
        recipient: Address,
        token: Address,
        total_amount: i128,
        duration: u64,
    ) -> Result<u64, Error> {
        running(&env)?;
        sender.require_auth();
        if total_amount <= 0 {
            return Err(Error::InvalidAmount);
        }
        if sender == recipient {
            return Err(Error::InvalidState);
        }
        if duration == 0 {
            return Err(Error::InvalidTimeRange);
        }
        let id = env.storage().instance().get(&Key::StreamCount).unwrap_or(1_u64);
        env.storage().instance().set(&Key::StreamCount, &(id + 1));
        extend_instance(&env);
        token::TokenClient::new(&env, &token).transfer(&sender, &env.current_contract_address(), &total_amount);
        let stream = Stream::draft(id, sender, recipient, token, total_amount, duration);
        keep(&env, &stream);
        let told = (id, stream.sender, stream.recipient, stream.token, total_amount, 0_u32, duration, now(&env));
        publish(&env, symbol_short!("created"), told);
        Ok(id)
    }

    pub fn start_stream(env: Env, stream_id: u64) -> Result<Stream, Error> {
        running(&env)?;
        let mut stream = agreed(&env, stream_id)?;
        stream.in_status(&[Status::Draft])?;
        stream.status = Status::Active;
        stream.start_time = now(&env);
        stream.last_update = stream.start_time;
        stream.end_time = stream.start_time.checked_add(stream.duration).ok_or(Error::InvalidTimeRange)?;
        keep(&env, &stream);
        publish(&env, symbol_short!("started"), (stream_id, stream.start_time, stream.end_time, now(&env)));
        Ok(stream)
    }

    pub fn pause(env: Env, stream_id: u64) -> Result<Stream, Error> {
        let mut stream = agreed(&env, stream_id)?;
        stream.in_status(&[Status::Active])?;
        stream.status = Status::Paused;
        stream.paused_at = now(&env);
        stream.last_update = stream.paused_at;
        keep(&env, &stream);
        let told = (stream_id, stream.sender.clone(), stream.paused_at, now(&env));
        publish(&env, symbol_short!("paused"), told);
        Ok(stream)
    }

    pub fn resume(env: Env, stream_id: u64) -> Result<Stream, Error> {
        let mut stream = agreed(&env, stream_id)?;
        stream.in_status(&[Status::Paused])?;
        let paused_for = now(&env).saturating_sub(stream.paused_at);
        stream.status = Status::Active;
        stream.paused_at = 0;
        stream.last_update = now(&env);
        stream.total_paused_duration += paused_for;
        stream.end_time = stream.end_time.checked_add(paused_for).ok_or(Error::InvalidTimeRange)?;
        keep(&env, &stream);
        let told = (stream_id, stream.sender.clone(), stream.end_time, now(&env));
        publish(&env, symbol_short!("resumed"), told);
        Ok(stream)
    }

    pub fn withdraw(env: Env, caller: Address, stream_id: u64, amount: i128) -> Result<i128, Error> {
        running(&env)?;
        if amount <= 0 {
            return Err(Error::InvalidAmount);
        }
        let mut stream = existing(&env, stream_id)?;
        if caller != stream.recipient {
            return Err(Error::Unauthorized);
        }
        caller.require_auth();
        if stream.status == Status::Settled {
            return Err(Error::AlreadySettled);
        }
        stream.in_status(&[Status::Active, Status::Paused])?;
        if amount > stream.withdrawable(now(&env))? {
            return Err(Error::OverWithdraw);
        }
        stream.released_amount += amount;
        stream.last_update = now(&env);
        let drained = stream.released_amount == stream.total_amount;
        if drained {
            stream.status = Status::Settled;
        }
        pay(&env, &stream, &stream.recipient, amount);
        keep(&env, &stream);
        publish(&env, symbol_short!("withdrawn"), (stream_id, stream.recipient.clone(), amount, now(&env)));
        if drained {
            settled(&env, &stream);
        }
        Ok(amount)
    }

    pub fn withdrawable(env: Env, stream_id: u64) -> Result<i128, Error> {
        existing(&env, stream_id)?.withdrawable(now(&env))
    }

    pub fn settle(env: Env, stream_id: u64) -> Result<(), Error> {
        running(&env)?;
        let mut stream = existing(&env, stream_id)?;
        if stream.status == Status::Settled {
            return Ok(());
        }
        stream.in_status(&[Status::Active, Status::Paused])?;
        if now(&env) < stream.end_time {
            return Err(Error::InvalidState);
        }
        let due = stream.total_amount - stream.released_amount;
        if due > 0 {
            pay(&env, &stream, &stream.recipient, due);
            stream.released_amount = stream.total_amount;
        }
        stream.status = Status::Settled;
        stream.last_update = now(&env);
        keep(&env, &stream);
        settled(&env, &stream);
        Ok(())
    }

    pub fn cancel_stream(env: Env, stream_id: u64) -> Result<Stream, Error> {
        let mut stream = agreed(&env, stream_id)?;
        stream.in_status(&[Status::Draft, Status::Active, Status::Paused, Status::Ended])?;
        let earned = stream.earned(now(&env))?;
        let (due, rest) = (earned - stream.released_amount, stream.total_amount - earned);
        if due > 0 {
            pay(&env, &stream, &stream.recipient, due);
            stream.released_amount = earned;
        }
        if rest > 0 {
            pay(&env, &stream, &stream.sender, rest);
        }
        stream.status = Status::Cancelled;
        stream.last_update = now(&env);
        keep(&env, &stream);
        let told = (stream_id, stream.sender.clone(), rest, due, now(&env));
        publish(&env, symbol_short!("cancelled"), told);
        Ok(stream)
    }

    pub fn get_stream(env: Env, stream_id: u64) -> Result<Stream, Error> {
        existing(&env, stream_id)
    }
}

fn now(env: &Env) -> u64 {
    env.ledger().timestamp()
}

fn running(env: &Env) -> Result<(), Error> {
    let paused = env.storage().instance().get(&Key::Paused).unwrap_or(false);
    extend_instance(env);
    if paused {
        Err(Error::ContractPaused)
    } else {
        Ok(())
    }
}

fn existing(env: &Env, stream_id: u64) -> Result<Stream, Error> {
    let key = Key::Stream(stream_id);
    let stream = env.storage().persistent().get(&key).ok_or(Error::NotFound)?;
    env.storage().persistent().extend_ttl(&key, ROW_TTL.0, ROW_TTL.1);
    Ok(stream)
}

fn agreed(env: &Env, stream_id: u64) -> Result<Stream, Error> {
    let stream = existing(env, stream_id)?;
    stream.sender.require_auth();
    Ok(stream)
}

fn keep(env: &Env, stream: &Stream) {
    let key = Key::Stream(stream.id);
    env.storage().persistent().set(&key, stream);
    env.storage().persistent().extend_ttl(&key, ROW_TTL.0, ROW_TTL.1);
}

fn extend_instance(env: &Env) {
    env.storage().instance().extend_ttl(INSTANCE_TTL.0, INSTANCE_TTL.1);
}

fn pay(env: &Env, stream: &Stream, to: &Address, amount: i128) {
    token::TokenClient::new(env, &stream.token).transfer(&env.current_contract_address(), to, &amount);
}

fn settled(env: &Env, stream: &Stream) {
    let told = (stream.id, stream.recipient.clone(), stream.released_amount, now(env));
    publish(env, symbol_short!("settled"), told);
}

fn publish(env: &Env, topic: Symbol, data: impl IntoVal<Env, Vec<Val>>) {
    let data: Vec<Val> = data.into_val(env);
    #[allow(deprecated)] // the topics and the vector are the interface's, which came before #[contractevent]
    env.events().publish((symbol_short!("stream"), topic), data);
}
