//! What a proposal will do: in a sentence for the person who is asked for the code, and in a few words for the message that
//! brings the code.

use super::Action;
use crate::samco::Member;

/// What an action will do and what it ends.
pub(super) fn sentence(member: &Member, action: &Action) -> String {
    let app = |id: u64| member.apps.iter().find(|app| app.id == id);
    let name = |id| app(id).map_or("", |app| app.name.as_str());
    let address = |id, slot| app(id).map_or("", |app| app.addresses.at(slot));
    match action {
        Action::CreateApp { name, redirect_url } => format!(
            "Create the app \u{201c}{name}\u{201d}, which sends browsers back to {redirect_url}. Its key will be emailed, \
             its secret shown once."
        ),
        Action::EditApp {
            app,
            name: new,
            redirect_url,
        } => format!(
            "Save \u{201c}{}\u{201d} as \u{201c}{new}\u{201d}, which sends browsers back to {redirect_url}. Its sessions go \
             on.",
            name(*app)
        ),
        Action::Deactivate { app } => format!(
            "Deactivate \u{201c}{}\u{201d}. Its sessions end, its key and secret stop working and its addresses are \
             released; its place and its name stay taken.",
            name(*app)
        ),
        Action::Activate { app } => format!(
            "Activate \u{201c}{}\u{201d}. Its key and secret work again; its addresses have to be registered again.",
            name(*app)
        ),
        Action::RegenerateKey { app } => format!(
            "Make a new API key for \u{201c}{}\u{201d} and email it. The old one stops working and the app's sessions end.",
            name(*app)
        ),
        Action::RegenerateSecret { app } => format!(
            "Make a new API secret for \u{201c}{}\u{201d} and show it once. The old one stops working and the app's \
             sessions end.",
            name(*app)
        ),
        Action::SetAddress { app, slot, ip } => match address(*app, *slot) {
            "" => format!(
                "Register {ip} as the {} address of \u{201c}{}\u{201d}.",
                slot.as_str(),
                name(*app)
            ),
            before => format!(
                "Change the {} address of \u{201c}{}\u{201d} from {before} to {ip}. Orders from {before} are refused at \
                 once.",
                slot.as_str(),
                name(*app)
            ),
        },
        Action::DeleteAddress { app, slot } => {
            let before = address(*app, *slot);
            format!(
                "Delete the {} address {before} of \u{201c}{}\u{201d}. Orders from it are refused at once, and this counts \
                 as a change.",
                slot.as_str(),
                name(*app)
            )
        }
    }
}

/// An action in a few words.
pub(super) fn subject(member: &Member, action: &Action) -> String {
    let app = |id: u64| member.apps.iter().find(|app| app.id == id);
    let of = |id| format!("\u{201c}{}\u{201d}", app(id).map_or("", |app| app.name.as_str()));
    match action {
        Action::CreateApp { name, .. } => format!("create \u{201c}{name}\u{201d}"),
        Action::EditApp { app, .. } => format!("edit {}", of(*app)),
        Action::Deactivate { app } => format!("deactivate {}", of(*app)),
        Action::Activate { app } => format!("activate {}", of(*app)),
        Action::RegenerateKey { app } => format!("new API key for {}", of(*app)),
        Action::RegenerateSecret { app } => format!("new API secret for {}", of(*app)),
        Action::SetAddress { app, slot, ip } => {
            format!("{} address {ip} for {}", slot.as_str(), of(*app))
        }
        Action::DeleteAddress { app, slot } => {
            format!("delete the {} address of {}", slot.as_str(), of(*app))
        }
    }
}
