//! Strategies: how the amount of a share is drawn. They belong to the plugin; the host knows their names.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::is_word;

/// How amounts are drawn: the name of one of the plugin's strategies, with parameters if it takes any, such as
/// `double-average` or `halving:ceiling=500,floor=10`. A tenant's view lists
/// them, with what each takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, max_length = 256, examples("double-average")))]
pub struct Strategy(Cow<'static, str>);

/// That a text is no strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyError;

impl fmt::Display for StrategyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a strategy is a name of lower-case letters, digits and hyphens, or one with parameters such as \
             name:parameter=1,other=2",
        )
    }
}

impl std::error::Error for StrategyError {}

/// The longest one, in bytes.
const LONGEST: usize = 256;

impl Strategy {
    /// Of the embedded plugin: uniform up to twice the average of what remains, capped at twice the whole average.
    pub const DOUBLE_AVERAGE: Self = Self(Cow::Borrowed("double-average"));
    /// Of the embedded plugin: the rule that public samples of real draws follow.
    pub const WECHAT_OBSERVED: Self = Self(Cow::Borrowed("wechat-observed"));
    /// Of the embedded plugin: the first part of a uniformly random division.
    pub const LINE_CUT: Self = Self(Cow::Borrowed("line-cut"));
    /// Of the embedded plugin: every share the same.
    pub const EQUAL: Self = Self(Cow::Borrowed("equal"));
    /// All strategies of the embedded plugin.
    pub const EMBEDDED: [Self; 4] =
        [Self::DOUBLE_AVERAGE, Self::WECHAT_OBSERVED, Self::LINE_CUT, Self::EQUAL];

    /// Of this text.
    ///
    /// # Errors
    /// When it is no name, or its parameters are not `name=number`, each once.
    pub fn new(text: impl Into<String>) -> Result<Self, StrategyError> {
        let text = text.into();
        let (name, parameters) = match text.split_once(':') {
            Some((name, parameters)) => (name, Some(parameters)),
            None => (text.as_str(), None),
        };
        let mut names: Vec<&str> = Vec::new();
        let is_parameter = |parameter: &str| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let is_number = value.parse::<u64>().is_ok_and(|number| number.to_string() == value);
            is_word(name) && is_number
        };
        let are_parameters = parameters.is_none_or(|parameters| parameters.split(',').all(is_parameter));
        let of_parameters = parameters.into_iter().flat_map(|parameters| parameters.split(','));
        names.extend(of_parameters.filter_map(|parameter| Some(parameter.split_once('=')?.0)));
        names.sort_unstable();
        let are_distinct = names.windows(2).all(|pair| pair.first() != pair.last());
        match text.len() <= LONGEST && is_word(name) && are_parameters && are_distinct {
            true => Ok(Self(Cow::Owned(text))),
            false => Err(StrategyError),
        }
    }

    /// The text in every interface.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(name, _)| name)
    }

    /// The parameters that it gives.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, u64)> {
        let parameters = self.0.split_once(':').map(|(_, parameters)| parameters);
        parameters.into_iter().flat_map(|parameters| parameters.split(',')).filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            Some((name, value.parse().ok()?))
        })
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Strategy {
    type Error = StrategyError;
    fn try_from(text: String) -> Result<Self, StrategyError> {
        Self::new(text)
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.0.into_owned()
    }
}

impl FromStr for Strategy {
    type Err = StrategyError;
    fn from_str(text: &str) -> Result<Self, StrategyError> {
        Self::new(text)
    }
}

/// A number that a strategy takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredParameter {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    pub description: String,
    /// The least that it may be.
    pub least: u64,
    /// The most that it may be.
    pub most: u64,
    /// What it is where it is not given.
    pub default: u64,
}

/// A strategy that a plugin has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredStrategy {
    /// Its name.
    pub name: String,
    /// How shares are drawn, in a sentence.
    pub description: String,
    /// What it takes.
    pub parameters: Vec<DeclaredParameter>,
}

/// The strategies that a plugin has, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategies(Vec<DeclaredStrategy>);

impl Strategies {
    /// These, unless there are none, or two of one name.
    #[must_use]
    pub fn new(declared: Vec<DeclaredStrategy>) -> Option<Self> {
        let mut names: Vec<&str> = declared.iter().map(|strategy| &*strategy.name).collect();
        names.sort_unstable();
        let are_distinct = names.windows(2).all(|pair| pair.first() != pair.last());
        (!declared.is_empty() && are_distinct).then_some(Self(declared))
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[DeclaredStrategy] {
        &self.0
    }

    /// Their names, for a sentence.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|strategy| &*strategy.name).collect();
        names.join(", ")
    }

    /// Whether the plugin has this strategy, and its parameters are within bounds; otherwise what is wrong with it, in
    /// a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self, strategy: &Strategy) -> Result<(), String> {
        let Some(declared) = self.0.iter().find(|declared| declared.name == strategy.name()) else {
            return Err(format!("there is no strategy {}; there are {}", strategy.name(), self.names()));
        };
        for (name, value) in strategy.parameters() {
            let Some(known) = declared.parameters.iter().find(|parameter| parameter.name == name) else {
                return Err(format!("the strategy {} has no parameter {name}", declared.name));
            };
            if !(known.least..=known.most).contains(&value) {
                let (least, most) = (known.least, known.most);
                return Err(format!("the parameter {name} must be {least} to {most}, not {value}"));
            }
        }
        Ok(())
    }

    /// The one that is taken where nobody names one: the policy's, or the plugin's first where it does not have that.
    #[must_use]
    pub fn default_of(&self, policy: &Strategy) -> Strategy {
        match (self.check(policy), self.0.first()) {
            (Err(_), Some(first)) => Strategy(Cow::Owned(first.name.clone())),
            _ => policy.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_is_a_name_with_numbers() {
        for text in ["equal", "a", "line-cut-2", "halving:floor=10", "halving:ceiling=500,floor=0"] {
            assert_eq!(Strategy::new(text).unwrap().as_str(), text);
        }
        let long = format!("a:{}=1", "b".repeat(300));
        let wrong = [
            "",
            "Equal",
            "a b",
            "a:",
            "a:b",
            "a:b=",
            "a:=1",
            "a:b=01",
            "a:b=-1",
            "a:b=1,",
            "a:b=1,b=2",
            "a:B=1",
            ":b=1",
            "a:b=18446744073709551616",
            "a:b=+1",
            &long,
        ];
        for text in wrong {
            assert_eq!(Strategy::new(text), Err(StrategyError), "{text}");
        }
        let both = Strategy::new("halving:ceiling=500,floor=10").unwrap();
        assert_eq!(
            (both.name(), both.parameters().collect::<Vec<_>>()),
            ("halving", vec![("ceiling", 500), ("floor", 10)])
        );
        assert!(
            Strategy::EMBEDDED
                .iter()
                .all(|strategy| Strategy::new(strategy.as_str()).as_ref() == Ok(strategy))
        );
    }

    #[test]
    fn a_plugin_draws_by_the_strategies_that_it_has() {
        let floor =
            DeclaredParameter { name: "floor".into(), description: "".into(), least: 1, most: 9, default: 1 };
        let halving =
            DeclaredStrategy { name: "halving".into(), description: "".into(), parameters: vec![floor] };
        let twice = Strategies::new(vec![halving.clone(), halving.clone()]);
        assert_eq!((twice, Strategies::new(Vec::new())), (None, None));
        let strategies = Strategies::new(vec![halving]).unwrap();
        let said = |text: &str| strategies.check(&text.parse().unwrap());
        assert_eq!((said("halving"), said("halving:floor=9")), (Ok(()), Ok(())));
        assert_eq!(said("equal").unwrap_err(), "there is no strategy equal; there are halving");
        assert_eq!(said("halving:roof=1").unwrap_err(), "the strategy halving has no parameter roof");
        assert_eq!(said("halving:floor=10").unwrap_err(), "the parameter floor must be 1 to 9, not 10");
        assert_eq!(strategies.default_of(&Strategy::EQUAL).as_str(), "halving");
        assert_eq!(strategies.default_of(&"halving:floor=2".parse().unwrap()).as_str(), "halving:floor=2");
    }
}
