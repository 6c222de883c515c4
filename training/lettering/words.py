"""Words for lettering: common words, invented words, numbers, cries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["cry", "sentence"]

_COMMON = """
a able about above across act afraid after again against ago air alive all almost alone along
already also always am an and angry animal another answer any anyone anything apple are arm around
as ask asleep at away baby back bad bag ball bark be bear beautiful became because bed bee been
before began behind being believe bell below beside best better between big bird bit black blow
blue boat body bone book born both bottle bottom box boy branch brave bread break breath bridge
bright bring broken brother brought brown build burn busy but buy by cabin cake call came can
candle captain car care careful carry castle cat caught cave change chase cheese chicken child
circle city clean clear clever climb clock close cloud coat cold come cook copper corner could
count country courage course cousin cross crowd cry cup curious cut dance danger dark daughter day
dead dear deep did different dig dinner dirty do doctor does dog done door doubt down dragon dream
drink drop dry duck dust each ear early earth easy eat edge egg eight either else empty end enemy
enough even evening ever every everyone exactly expect eye face fact fair fall family far farm fast
father fear feel feet fell few field fight find fine finger finish fire first fish five fix flag
flew floor flower fly fog follow food foot for forest forever forget fork forty found four fox free
fresh friend frog from front fruit full funny game garden gate gave gentle ghost giant gift girl
give glad glass go goat gold gone good goose got grab grass gravity great green grey ground grow
guard guess guest had hair half hammer hand happen happy hard has hat hate have he head hear heart
heavy held hello help her here hero hid high hill him his hit hold hole home honest honey hope
horse hot hour house how huge hundred hungry hurry hurt i ice idea if important in indeed inside
instead into iron is island it its jacket jar jaw job joke journey jump jungle just keep key kick
kid kill kind king kitchen knee knew knife knight knock know lady lake lamp land language large
last late laugh law lazy lead leaf learn least leave left leg less let letter lie life light like
line lion listen little live long look lose lost lot loud love luck lunch machine mad magic make
man many map mark market matter may maybe me mean meet message middle might milk mind minute miss
mistake money monster month moon more morning most mother mountain mouse mouth move much mud music
must my name near neck need neighbour nest never new next nice night nine no nobody noise none nor
nose not nothing now number ocean of off often oh old on once one only open or orange order other
our out outside over owl own page pain paper park part party pass past path pay peace people
perfect perhaps picture pie piece pig pirate place plan planet play please plenty pocket poison
police poor pot potato potion power present pretty prince problem promise proof proud pull punch
push put quarter queen quest question quick quiet quite rabbit race radio rain ran reach read ready
real reason red remember rest return rich ride right ring river road rock roof room root rope rough
round rule run sad safe said sail salt same sand save saw say scared school sea second secret see
seem seven shadow shall shape share sharp she sheep ship shirt shoe shop short should shoulder shout
show sick side sign silence silver simple since sing sister sit six size skin sky sleep slow small
smell smile smoke snake snow so soap soft soldier some somebody song soon sorry sound soup south
space speak special spell spider spoon spring square stand star stars start station stay steal step
still stone stop storm story strange street strong stuff stupid such suddenly sugar summer sun sure
surprise sweet swim sword table tail take talk tall taste tea teacher tell ten terrible than thank
that the their them then there these they thing think third this those though thought thousand
three through throw thunder tie time tired to today together told tomorrow tongue tonight too took
tooth top touch toward tower town toy trade train trap tree trick trouble true trust truth try turn
twelve twenty twice two ugly uncle under understand until up upon us use valley very village visit
voice wait wake walk wall want war warm was watch water wave way we wear weather week well went were
west wet what wheel when where which while whisper white who whole whose why wicked wide wife wild
will wind window wing winter wise wish witch with wizard woman wonder wood word work world worry
would wrong yard year yellow yes yesterday yet you young your yourself zero zone
"""
_SHORT = "I'm don't can't it's you're he's we'll that's won't isn't let's what's"
_CRIES = """
bam bang beep boing bonk boom bump chomp clang clank clap click crack crash creak crunch ding
drip fizz flap glug gulp hiss honk kaboom klang knock pff ping plop poof pop pow puff rattle ring
rip roar rumble shh sigh skree slam smack snap sniff splash splat squeak swish swoosh tap thud
thump tick tok vroom wham whack whoosh woof wow yikes zap zing zoom
"""
WORDS, SHORT_FORMS, CRIES = (tuple(text.split()) for text in (_COMMON, _SHORT, _CRIES))
_ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k kl l m n p pl pr qu r s sh sk sl sp st t "
_ONSETS += "th tr v w x y z"
_VOWELS = "a e i o u ai ee ea oo ou y ie"
_CODAS = "b ck d f g k l ll m n nd ng nt p r rd rk s sh ss st t th v w x z"
ONSETS, VOWELS, CODAS = (tuple(text.split()) for text in (_ONSETS, _VOWELS, _CODAS))
ENDS = (*"...!!!??", "...", "!!", "?!", "!?", "")
ACCENTED = "àâäçèéêëîïñóôöûüß"


def _pick(rng: np.random.Generator, items: Sequence[str]) -> str:
    return items[int(rng.integers(len(items)))]


def _pseudo_word(rng: np.random.Generator) -> str:
    if rng.random() < 0.2:
        letters = [chr(97 + int(i)) for i in rng.integers(0, 26, int(rng.integers(1, 8)))]
        return "".join(letters)
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        parts += [_pick(rng, ONSETS), _pick(rng, VOWELS)]
    if rng.random() < 0.6:
        parts.append(_pick(rng, CODAS))
    word = "".join(parts)
    if rng.random() < 0.15:
        at = int(rng.integers(len(word)))
        word = word[:at] + _pick(rng, ACCENTED) + word[at + 1 :]
    return word


def _word(rng: np.random.Generator) -> str:
    chance = rng.random()
    if chance < 0.62:
        return _pick(rng, WORDS)
    if chance < 0.68:
        return _pick(rng, SHORT_FORMS)
    if chance < 0.94:
        return _pseudo_word(rng)
    return str(rng.integers(0, 10 ** int(rng.integers(1, 5))))


def sentence(rng: np.random.Generator, words: int) -> list[str]:
    """Return so many words with punctuation, the first of each sentence in title case."""
    said: list[str] = []
    start = True
    for index in range(words):
        word = _word(rng)
        if rng.random() < 0.03:
            word = f"{word}-{_word(rng)}"
        if start or rng.random() < 0.06:
            word = word[:1].upper() + word[1:]
        chance = rng.random()
        if chance < 0.02:
            word = f'"{word}"'
        elif chance < 0.03:
            word = f"*{word}*"
        elif chance < 0.04:
            word = f"({word})"
        start = index == words - 1 or rng.random() < 0.1
        if start:
            word += _pick(rng, ENDS)
        elif rng.random() < 0.15:
            word += _pick(rng, (",", ",", ",", "...", ":", ";", " -", " &"))
        said += word.split(" ")
    if rng.random() < 0.05:
        said[0] = "..." + said[0]
    return said


def cry(rng: np.random.Generator) -> str:
    """Return a sound effect."""
    word = _pick(rng, CRIES) if rng.random() < 0.6 else _pseudo_word(rng)
    if rng.random() < 0.25:
        at = int(rng.integers(len(word)))
        word = word[:at] + word[at] * int(rng.integers(2, 5)) + word[at + 1 :]
    return word.upper() + _pick(rng, ("", "", "!", "!", "!!", "!!!", "?"))
