//! A stream, and what of it has been earned.

use soroban_sdk::{contracttype, Address};

use crate::Error;

#[contracttype]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Draft,
    Active,
    Paused,
    Settled,
    Ended,
    Cancelled,
}

#[contracttype]
#[derive(Clone, Debug)]
pub struct Stream {
    pub id: u64,
    pub sender: Address,
    pub recipient: Address,
    pub token: Address,
    pub total_amount: i128,
    pub released_amount: i128,
    pub start_time: u64,
    pub end_time: u64,
    pub duration: u64,
    pub last_update: u64,
    pub status: Status,
    pub paused_at: u64,
    pub total_paused_duration: u64,
    pub fee_bps: u32,
}

impl Stream {
    /// A stream whose amount is locked and which nobody has started.
    pub fn draft(
        id: u64,
        sender: Address,
        recipient: Address,
        token: Address,
        total_amount: i128,
        duration: u64,
    ) -> Self {
        Stream {
            id,
            sender,
            recipient,
            token,
            total_amount,
            released_amount: 0,
            start_time: 0,
            end_time: 0,
            duration,
            last_update: 0,
            status: Status::Draft,
            paused_at: 0,
            total_paused_duration: 0,
            fee_bps: 0,
        }
    }

    pub fn in_status(&self, allowed: &[Status]) -> Result<(), Error> {
        if allowed.contains(&self.status) {
            Ok(())
        } else {
            Err(Error::InvalidState)
        }
    }

    /// What has been earned by a time: total x elapsed / duration, floored, nothing of a draft; pauses do not count.
    pub fn earned(&self, now: u64) -> Result<i128, Error> {
        if self.status == Status::Draft {
            return Ok(0);
        }
        let mut until = now.min(self.end_time).max(self.start_time);
        if self.status == Status::Paused {
            until = until.min(self.paused_at);
        }
        let elapsed = until.saturating_sub(self.start_time).saturating_sub(self.total_paused_duration);
        if self.duration == 0 || elapsed >= self.duration {
            return Ok(self.total_amount);
        }
        let product = self.total_amount.checked_mul(i128::from(elapsed)).ok_or(Error::Overflow)?;
        Ok(product / i128::from(self.duration))
    }

    pub fn withdrawable(&self, now: u64) -> Result<i128, Error> {
        Ok((self.earned(now)? - self.released_amount).max(0))
    }
}
