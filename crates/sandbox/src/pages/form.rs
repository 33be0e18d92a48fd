//! What was typed into a form and what is wrong with it, as its page shows it again.

use http::StatusCode;

use crate::error::ControlError;
use crate::wire::Request;

/// The fields of a form. Without values it is one that nobody has sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    values: Vec<(String, String)>,
    problem: Option<(String, String)>,
}

/// How many fields of a form are read.
const FIELDS: usize = 100;

impl Form {
    /// What was sent.
    pub(crate) fn sent(request: &Request) -> Self {
        let values = form_urlencoded::parse(&request.body).into_owned().take(FIELDS);
        Self {
            values: values.collect(),
            problem: None,
        }
    }

    /// A form that is filled in before anybody has sent it.
    pub(crate) fn filled(values: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            values: values.iter().map(owned).collect(),
            problem: None,
        }
    }

    /// The same form, with what is wrong with a field; without a field, with all of it.
    pub(crate) fn refused(mut self, field: &str, text: impl Into<String>) -> Self {
        self.problem = Some((field.to_owned(), text.into()));
        self
    }

    /// The same form, with what the control API has against it.
    pub(crate) fn refused_by(self, error: &ControlError) -> Self {
        let (field, text) = error.parts();
        // It goes on after the name of its field, which the page shows as a label.
        self.refused(field, format!("This {text}."))
    }

    /// The trimmed value of a field; empty when it was not sent.
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// Whether a field has this value.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.value(name) == value
    }

    /// What is wrong with a field; empty when nothing is.
    pub(crate) fn problem(&self, name: &str) -> &str {
        match &self.problem {
            Some((field, text)) if field == name => text,
            _ => "",
        }
    }

    /// What is wrong with none of these fields, and so with all of the form.
    pub(crate) fn problem_beside(&self, shown: &[&str]) -> &str {
        match &self.problem {
            Some((field, text)) if !shown.contains(&field.as_str()) => text,
            _ => "",
        }
    }

    /// The status of a page that shows this form.
    pub(crate) fn status(&self) -> StatusCode {
        match self.problem {
            Some(_) => StatusCode::BAD_REQUEST,
            None => StatusCode::OK,
        }
    }
}
