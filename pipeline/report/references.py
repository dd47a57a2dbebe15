"""References in full, for the registries' short citations; looked up by authors and year."""

import re

FULL = (
    ("Akam et al. 2015", "Akam T, Costa R, Dayan P (2015) Simple plans or sophisticated habits? State, transition and "
     "learning interactions in the two-step task. PLoS Comput Biol 11:e1004648"),
    ("Akam, Costa & Dayan 2015", "Akam T, Costa R, Dayan P (2015) Simple plans or sophisticated habits? State, "
     "transition and learning interactions in the two-step task. PLoS Comput Biol 11:e1004648"),
    ("Auer et al. 2002", "Auer P, Cesa-Bianchi N, Fischer P (2002) Finite-time analysis of the multiarmed bandit "
     "problem. Machine Learning 47:235–256"),
    ("Behrens et al. 2007", "Behrens TEJ, Woolrich MW, Walton ME, Rushworth MFS (2007) Learning the value of "
     "information in an uncertain world. Nat Neurosci 10:1214–1221"),
    ("Bellman 1956", "Bellman R (1956) A problem in the sequential design of experiments. Sankhyā 16:221–229"),
    ("Cho et al. 2014", "Cho K, van Merriënboer B, Gulcehre C, Bahdanau D, Bougares F, Schwenk H, Bengio Y (2014) "
     "Learning phrase representations using RNN encoder–decoder for statistical machine translation. arXiv:1406.1078"),
    ("Costa et al. 2015", "Costa VD, Tran VL, Turchi J, Averbeck BB (2015) Reversal learning and dopamine: a Bayesian "
     "perspective. J Neurosci 35:2407–2416"),
    ("Costa et al. 2016", "Costa VD, Dal Monte O, Lucas DR, Murray EA, Averbeck BB (2016) Amygdala and ventral "
     "striatum make distinct contributions to reinforcement learning. Neuron 92:505–517"),
    ("Daw et al. 2011", "Daw ND, Gershman SJ, Seymour B, Dayan P, Dolan RJ (2011) Model-based influences on humans' "
     "choices and striatal prediction errors. Neuron 69:1204–1215"),
    ("Elman 1990", "Elman JL (1990) Finding structure in time. Cognitive Science 14:179–211"),
    ("Feldman 1962", "Feldman D (1962) Contributions to the “two-armed bandit” problem. Ann Math Stat 33:847–856"),
    ("Gittins 1979", "Gittins JC (1979) Bandit processes and dynamic allocation indices. J R Stat Soc B 41:148–177"),
    ("Hochreiter & Schmidhuber 1997", "Hochreiter S, Schmidhuber J (1997) Long short-term memory. Neural Comput "
     "9:1735–1780"),
    ("Hoffman & Gelman 2014", "Hoffman MD, Gelman A (2014) The No-U-Turn sampler: adaptively setting path lengths in "
     "Hamiltonian Monte Carlo. JMLR 15:1593–1623"),
    ("Kruschke 2018", "Kruschke JK (2018) Rejecting or accepting parameter values in Bayesian estimation. Adv Methods "
     "Pract Psychol Sci 1:270–280"),
    ("Lau & Glimcher 2005", "Lau B, Glimcher PW (2005) Dynamic response-by-response models of matching behavior in "
     "rhesus monkeys. J Exp Anal Behav 84:555–579"),
    ("Mastrogiuseppe & Ostojic 2018", "Mastrogiuseppe F, Ostojic S (2018) Linking connectivity, dynamics, and "
     "computations in low-rank recurrent neural networks. Neuron 99:609–623"),
    ("Mnih et al. 2016", "Mnih V, Badia AP, Mirza M, Graves A, Lillicrap T, Harley T, Silver D, Kavukcuoglu K (2016) "
     "Asynchronous methods for deep reinforcement learning. arXiv:1602.01783"),
    ("Niv et al. 2012", "Niv Y, Edlund JA, Dayan P, O'Doherty JP (2012) Neural prediction errors reveal a "
     "risk-sensitive reinforcement-learning process in the human brain. J Neurosci 32:551–562"),
    ("Papaspiliopoulos et al. 2007", "Papaspiliopoulos O, Roberts GO, Sköld M (2007) A general framework for the "
     "parametrization of hierarchical models. Stat Sci 22:59–73"),
    ("Rescorla & Wagner 1972", "Rescorla RA, Wagner AR (1972) A theory of Pavlovian conditioning: variations in the "
     "effectiveness of reinforcement and nonreinforcement. In: Black AH, Prokasy WF (eds) Classical conditioning II. "
     "Appleton-Century-Crofts, pp 64–99"),
    ("Schulman et al. 2016", "Schulman J, Moritz P, Levine S, Jordan M, Abbeel P (2016) High-dimensional continuous "
     "control using generalized advantage estimation. arXiv:1506.02438"),
    ("Sutton & Barto 1998", "Sutton RS, Barto AG (1998) Reinforcement learning: an introduction. MIT Press"),
    ("Thompson 1933", "Thompson WR (1933) On the likelihood that one unknown probability exceeds another in view of "
     "the evidence of two samples. Biometrika 25:285–294"),
    ("Trepka et al. 2021", "Trepka E, Spitmaan M, Bari BA, Costa VD, Cohen JY, Soltani A (2021) Entropy-based metrics "
     "for predicting choice behavior based on local response to reward. Nat Commun 12:6567"),
    ("Vehtari et al. 2017", "Vehtari A, Gelman A, Gabry J (2017) Practical Bayesian model evaluation using "
     "leave-one-out cross-validation and WAIC. Stat Comput 27:1413–1432"),
    ("Vehtari et al. 2021", "Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner P-C (2021) Rank-normalization, "
     "folding, and localization: an improved R̂ for assessing convergence of MCMC. Bayesian Anal 16:667–718"),
    ("Wang et al. 2017", "Wang JX, Kurth-Nelson Z, Tirumala D, Soyer H, Leibo JZ, Munos R, Blundell C, Kumaran D, "
     "Botvinick M (2017) Learning to reinforcement learn. arXiv:1611.05763"),
    ("Wang et al. 2018", "Wang JX, Kurth-Nelson Z, Kumaran D, Tirumala D, Soyer H, Leibo JZ, Hassabis D, Botvinick M "
     "(2018) Prefrontal cortex as a meta-reinforcement learning system. Nat Neurosci 21:860–868"),
    ("Welch 1947", "Welch BL (1947) The generalization of “Student's” problem when several different population "
     "variances are involved. Biometrika 34:28–35"),
    ("Yao et al. 2018", "Yao Y, Vehtari A, Simpson D, Gelman A (2018) Using stacking to average Bayesian predictive "
     "distributions. Bayesian Anal 13:917–1007"),
)  # fmt: skip


def references(citations) -> list[str]:
    """List the references behind short citations (several may be joined by ``; ``), each once, in alphabetical order.

    Parts without a year are remarks, not references. A dataset's citation, written in full, stays as it is.
    """
    parts = [part.strip() for citation in citations for part in citation.split("; ")]
    known = dict(FULL)
    found = []
    for part in parts:
        short = next((name for name in known if part.startswith(name)), "")
        if short or re.search(r"\b(1[89]|20)\d\d\b", part):
            found.append(known[short] if short else part)
    return sorted(dict.fromkeys(found), key=str.lower)
