//! Stores that are written in JavaScript: how Rust calls their methods, and how JavaScript answers.

use std::sync::Arc;

use napi::bindgen_prelude::{Function, Object};
use napi::threadsafe_function::UnknownReturnValue;
use napi::{Either, Env};
use napi_derive::napi;
use preopen_ffi::preopen::{Result, Secret};
use preopen_ffi::{ForeignStore, HandedClaim, Start, StoreCall, StoreChoice, StoreReply, check_store};

use crate::caller::Caller;
use crate::outcome::{json, run};

/// JavaScript's function that gets the calls of a store's methods and answers them when it can.
pub(crate) type StoreCaller<'env> = Function<'env, NativeStoreCall, UnknownReturnValue>;

/// A store of the program's own: what it says it is, and the function that calls its methods.
#[napi(object, object_to_js = false)]
pub(crate) struct NativeStore<'env> {
    /// One line for messages.
    pub name: String,
    /// Calls a method of the store or of one of its claims. It must not throw.
    pub call: StoreCaller<'env>,
}

impl NativeStore<'_> {
    fn into_store(self) -> napi::Result<Result<ForeignStore>> {
        let start = start_of(Arc::new(Caller::new(&self.call)?), None);
        Ok(ForeignStore::new(&self.name, start))
    }
}

/// The store of a session's settings.
pub(crate) fn choice(store: Either<String, NativeStore<'_>>) -> napi::Result<Result<StoreChoice>> {
    Ok(match store {
        Either::A(address) => Ok(StoreChoice::Address(Secret::new(address))),
        Either::B(own) => own.into_store()?.map(StoreChoice::Own),
    })
}

/// Checks a store of the program's own; resolves to a JSON list of what it violates.
#[napi]
pub(crate) fn check_own_store<'env>(env: &'env Env, store: NativeStore<'env>) -> napi::Result<Object<'env>> {
    let store = store.into_store()?;
    run(env, None, async move { Ok(json(&check_store(store?).await?)) })
}

fn start_of(caller: Arc<Caller<NativeStoreCall>>, claim: Option<u32>) -> Start {
    Arc::new(move |call| {
        let caller = Arc::clone(&caller);
        let question = NativeStoreCall {
            claim,
            open: Some(call),
            caller: Arc::clone(&caller),
        };
        Box::pin(async move { caller.ask(question).await })
    })
}

/// A call of a method of a store, or of one of its claims, to be answered once. One that is dropped without an answer
/// fails.
#[napi]
pub struct NativeStoreCall {
    claim: Option<u32>,
    open: Option<StoreCall>,
    caller: Arc<Caller<NativeStoreCall>>,
}

#[napi]
impl NativeStoreCall {
    /// The method's name in the words of Rust; empty when it is answered already.
    #[napi(getter)]
    pub fn method(&self) -> &'static str {
        self.open.as_ref().map_or("", |call| call.method().as_str())
    }

    /// Its argument, if it takes one: the account, or the value to write.
    #[napi(getter)]
    pub fn argument(&self) -> Option<&str> {
        self.open.as_ref().and_then(StoreCall::argument)
    }

    /// Whose method it is: the number of a claim, or the store's.
    #[napi(getter)]
    pub fn claim(&self) -> Option<u32> {
        self.claim
    }

    /// `read` gave this.
    #[napi]
    pub fn text(&mut self, text: Option<String>) {
        self.give(StoreReply::Text(text));
    }

    /// `claim` gave a claim, which is called by this number from now on; `lease` tells that it has a `goodFor`.
    #[napi]
    pub fn claimed(&mut self, claim: u32, value: Option<String>, lease: bool) {
        let start = start_of(Arc::clone(&self.caller), Some(claim));
        self.give(StoreReply::Claimed(Some(HandedClaim { value, lease, start })));
    }

    /// `claim` gave nothing: somebody else holds it.
    #[napi]
    pub fn not_claimed(&mut self) {
        self.give(StoreReply::Claimed(None));
    }

    /// `write` gave this.
    #[napi]
    pub fn written(&mut self, written: bool) {
        self.give(StoreReply::Written(written));
    }

    /// `goodFor` gave this.
    #[napi]
    pub fn seconds(&mut self, seconds: f64) {
        self.give(StoreReply::Seconds(seconds));
    }

    /// `release` is done.
    #[napi]
    pub fn done(&mut self) {
        self.give(StoreReply::Done);
    }

    /// The method failed; `how` completes a sentence, for example `threw TypeError`. A claim that it gave all the same is
    /// released by its number.
    #[napi]
    pub fn fail(&mut self, how: String, claim: Option<u32>) {
        if let Some(call) = self.open.take() {
            let start = claim.map(|claim| start_of(Arc::clone(&self.caller), Some(claim)));
            call.refuse(start, &how);
        }
    }

    fn give(&mut self, reply: StoreReply) {
        if let Some(call) = self.open.take() {
            call.give(reply);
        }
    }
}
