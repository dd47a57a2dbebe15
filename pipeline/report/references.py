"""References in full, for the registries' short citations; looked up by authors and year."""

import re

FULL = (
    ("Akam et al. 2015", "Akam T, Costa R, Dayan P (2015) Simple plans or sophisticated habits? State, transition and "
     "learning interactions in the two-step task. PLoS Comput Biol 11:e1004648"),
    ("Akam, Costa & Dayan 2015", "Akam T, Costa R, Dayan P (2015) Simple plans or sophisticated habits? State, "
     "transition and learning interactions in the two-step task. PLoS Comput Biol 11:e1004648"),
    ("Auer et al. 2002", "Auer P, Cesa-Bianchi N, Fischer P (2002) Finite-time analysis of the multiarmed bandit "
     "problem. Machine Learning 47:235–256"),
    ("Barraclough et al. 2004", "Barraclough DJ, Conroy ML, Lee D (2004) Prefrontal cortex and decision making in a "
     "mixed-strategy game. Nat Neurosci 7:404–410"),
    ("Behrens et al. 2007", "Behrens TEJ, Woolrich MW, Walton ME, Rushworth MFS (2007) Learning the value of "
     "information in an uncertain world. Nat Neurosci 10:1214–1221"),
    ("Bellman 1956", "Bellman R (1956) A problem in the sequential design of experiments. Sankhyā 16:221–229"),
    ("Browning et al. 2015", "Browning M, Behrens TE, Jocham G, O'Reilly JX, Bishop SJ (2015) Anxious individuals have "
     "difficulty learning the causal statistics of aversive environments. Nat Neurosci 18:590–596"),
    ("Cho et al. 2014", "Cho K, van Merriënboer B, Gulcehre C, Bahdanau D, Bougares F, Schwenk H, Bengio Y (2014) "
     "Learning phrase representations using RNN encoder–decoder for statistical machine translation. arXiv:1406.1078"),
    ("Costa et al. 2015", "Costa VD, Tran VL, Turchi J, Averbeck BB (2015) Reversal learning and dopamine: a Bayesian "
     "perspective. J Neurosci 35:2407–2416"),
    ("Costa et al. 2016", "Costa VD, Dal Monte O, Lucas DR, Murray EA, Averbeck BB (2016) Amygdala and ventral "
     "striatum make distinct contributions to reinforcement learning. Neuron 92:505–517"),
    ("Daw et al. 2006", "Daw ND, O'Doherty JP, Dayan P, Seymour B, Dolan RJ (2006) Cortical substrates for exploratory "
     "decisions in humans. Nature 441:876–879"),
    ("Daw et al. 2011", "Daw ND, Gershman SJ, Seymour B, Dayan P, Dolan RJ (2011) Model-based influences on humans' "
     "choices and striatal prediction errors. Neuron 69:1204–1215"),
    ("Elman 1990", "Elman JL (1990) Finding structure in time. Cognitive Science 14:179–211"),
    ("Feldman 1962", "Feldman D (1962) Contributions to the “two-armed bandit” problem. Ann Math Stat 33:847–856"),
    ("Gagne et al. 2020", "Gagne C, Zika O, Dayan P, Bishop SJ (2020) Impaired adaptation of learning to contingency "
     "volatility in internalizing psychopathology. eLife 9:e61387"),
    ("Gittins 1979", "Gittins JC (1979) Bandit processes and dynamic allocation indices. J R Stat Soc B 41:148–177"),
    ("Gläscher et al. 2009", "Gläscher J, Hampton AN, O'Doherty JP (2009) Determining a role for ventromedial "
     "prefrontal cortex in encoding action-based value signals during reward-related decision making. Cereb Cortex "
     "19:483–495"),
    ("Hampton et al. 2006", "Hampton AN, Bossaerts P, O'Doherty JP (2006) The role of the ventromedial prefrontal "
     "cortex in abstract state-based inference during decision making in humans. J Neurosci 26:8360–8367"),
    ("Hochreiter & Schmidhuber 1997", "Hochreiter S, Schmidhuber J (1997) Long short-term memory. Neural Comput "
     "9:1735–1780"),
    ("Hoffman & Gelman 2014", "Hoffman MD, Gelman A (2014) The No-U-Turn sampler: adaptively setting path lengths in "
     "Hamiltonian Monte Carlo. JMLR 15:1593–1623"),
    ("Ito & Doya 2009", "Ito M, Doya K (2009) Validation of decision-making models and analysis of decision variables "
     "in the rat basal ganglia. J Neurosci 29:9861–9874"),
    ("Kalman 1960", "Kalman RE (1960) A new approach to linear filtering and prediction problems. J Basic Eng "
     "82:35–45"),
    ("Kool et al. 2016", "Kool W, Cushman FA, Gershman SJ (2016) When does model-based control pay off? PLoS Comput "
     "Biol 12:e1005090"),
    ("Kruschke 2018", "Kruschke JK (2018) Rejecting or accepting parameter values in Bayesian estimation. Adv Methods "
     "Pract Psychol Sci 1:270–280"),
    ("Lau & Glimcher 2005", "Lau B, Glimcher PW (2005) Dynamic response-by-response models of matching behavior in "
     "rhesus monkeys. J Exp Anal Behav 84:555–579"),
    ("Li et al. 2011", "Li J, Schiller D, Schoenbaum G, Phelps EA, Daw ND (2011) Differential roles of human striatum "
     "and amygdala in associative learning. Nat Neurosci 14:1250–1252"),
    ("Lohrenz et al. 2007", "Lohrenz T, McCabe K, Camerer CF, Montague PR (2007) Neural signature of fictive learning "
     "signals in a sequential investment task. PNAS 104:9493–9498"),
    ("Mastrogiuseppe & Ostojic 2018", "Mastrogiuseppe F, Ostojic S (2018) Linking connectivity, dynamics, and "
     "computations in low-rank recurrent neural networks. Neuron 99:609–623"),
    ("Meyniel et al. 2016", "Meyniel F, Maheu M, Dehaene S (2016) Human inferences about sequences: a minimal "
     "transition probability model. PLoS Comput Biol 12:e1005260"),
    ("Miranda et al. 2020", "Miranda B, Malalasekera WMN, Behrens TE, Dayan P, Kennerley SW (2020) Combined model-free "
     "and model-sensitive reinforcement learning in non-human primates. PLoS Comput Biol 16:e1007944"),
    ("Mnih et al. 2016", "Mnih V, Badia AP, Mirza M, Graves A, Lillicrap T, Harley T, Silver D, Kavukcuoglu K (2016) "
     "Asynchronous methods for deep reinforcement learning. arXiv:1602.01783"),
    ("Modrák et al. 2023", "Modrák M, Moon AH, Kim S, Bürkner P, Huurre N, Faltejsková K, Gelman A, Vehtari A (2023) "
     "Simulation-based calibration checking for Bayesian computation: the choice of test quantities shapes "
     "sensitivity. Bayesian Anal"),
    ("Niv et al. 2012", "Niv Y, Edlund JA, Dayan P, O'Doherty JP (2012) Neural prediction errors reveal a "
     "risk-sensitive reinforcement-learning process in the human brain. J Neurosci 32:551–562"),
    ("Nowak & Sigmund 1993", "Nowak M, Sigmund K (1993) A strategy of win-stay, lose-shift that outperforms "
     "tit-for-tat in the Prisoner's Dilemma game. Nature 364:56–58"),
    ("Papaspiliopoulos et al. 2007", "Papaspiliopoulos O, Roberts GO, Sköld M (2007) A general framework for the "
     "parametrization of hierarchical models. Stat Sci 22:59–73"),
    ("Pearce & Hall 1980", "Pearce JM, Hall G (1980) A model for Pavlovian learning: variations in the effectiveness "
     "of conditioned but not of unconditioned stimuli. Psychol Rev 87:532–552"),
    ("Piray & Daw 2020", "Piray P, Daw ND (2020) A simple model for learning in volatile environments. PLoS Comput "
     "Biol 16:e1007963"),
    ("Rescorla & Wagner 1972", "Rescorla RA, Wagner AR (1972) A theory of Pavlovian conditioning: variations in the "
     "effectiveness of reinforcement and nonreinforcement. In: Black AH, Prokasy WF (eds) Classical conditioning II. "
     "Appleton-Century-Crofts, pp 64–99"),
    ("Schulman et al. 2016", "Schulman J, Moritz P, Levine S, Jordan M, Abbeel P (2016) High-dimensional continuous "
     "control using generalized advantage estimation. arXiv:1506.02438"),
    ("Sutton & Barto 1998", "Sutton RS, Barto AG (1998) Reinforcement learning: an introduction. MIT Press"),
    ("Säilynoja et al. 2022", "Säilynoja T, Bürkner P-C, Vehtari A (2022) Graphical test for discrete uniformity and "
     "its applications in goodness-of-fit evaluation and multiple sample comparison. Stat Comput 32:32"),
    ("Talts et al. 2018", "Talts S, Betancourt M, Simpson D, Vehtari A, Gelman A (2018) Validating Bayesian inference "
     "algorithms with simulation-based calibration. arXiv:1804.06788"),
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
    ("Wilson & Collins 2019", "Wilson RC, Collins AGE (2019) Ten simple rules for the computational modeling of "
     "behavioral data. eLife 8:e49547"),
    ("Worthy et al. 2013", "Worthy DA, Hawthorne MJ, Otto AR (2013) Heterogeneity of strategy use in the Iowa gambling "
     "task: a comparison of win-stay/lose-shift and reinforcement learning models. Psychon Bull Rev 20:364–371"),
    ("Yao et al. 2018", "Yao Y, Vehtari A, Simpson D, Gelman A (2018) Using stacking to average Bayesian predictive "
     "distributions. Bayesian Anal 13:917–1007"),
    ("Yu & Cohen 2009", "Yu AJ, Cohen JD (2009) Sequential effects: superstition or rational behavior? Adv Neural Inf "
     "Process Syst 21:1873–1880"),
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
