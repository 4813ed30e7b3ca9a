//! Runs contract invocations in the real Soroban host: one JSON request a line in, one JSON answer a line out.
//!
//! The ledger stays with the caller, which is asked for each entry that an invocation meets: `{"get": KEY}` goes out,
//! `{"entry": ENTRY or null, "live_until": LEDGER or null}` comes in. XDR values are base64.

mod answer;
mod caller;
mod request;
mod run;

use std::rc::Rc;

use answer::Refused;
use caller::Caller;

fn main() {
    let caller = Rc::new(Caller::default());
    while let Some(line) = caller.line() {
        match serde_json::from_str(&line)
            .map_err(|error| error.to_string())
            .and_then(|request| run::run(&request, &caller))
        {
            Ok(answer) => caller.send(&answer),
            Err(refused) => caller.send(&Refused { refused }),
        }
    }
}
