# Stay regression of each subject in base R, from a trial table's CSV.
# Rscript stay_regression.R <table.csv> <result.csv> ["col_types expression"]
suppressPackageStartupMessages(library(readr))
arguments <- commandArgs(trailingOnly = TRUE)
types <- if (length(arguments) > 2) eval(parse(text = arguments[3])) else NULL
trials <- read_csv(arguments[1], col_types = types, show_col_types = FALSE, progress = FALSE)
trials <- trials[order(trials$subject, trials$session, trials$episode, trials$trial), ]
n <- nrow(trials)
a <- trials[-n, ]
b <- trials[-1, ]
pair <- a$subject == b$subject & a$session == b$session & a$episode == b$episode & b$trial == a$trial + 1 &
  a$trial_type == "free" & b$trial_type == "free" & !is.na(a$choice) & !is.na(b$choice)
pairs <- data.frame(subject = a$subject, stay = as.integer(a$choice == b$choice), reward = a$reward - 0.5)[pair, ]
found <- do.call(rbind, lapply(split(pairs, pairs$subject), function(own) {
  fit <- glm(stay ~ reward, family = binomial, data = own)
  data.frame(subject = own$subject[1], intercept = coef(fit)[["(Intercept)"]], reward = coef(fit)[["reward"]],
             pairs = nrow(own), trials = sum(trials$subject == own$subject[1]))
}))
write.csv(found, arguments[2], row.names = FALSE)
