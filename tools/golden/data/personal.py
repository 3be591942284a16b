"""2,000 texts with planted personal data and look-alikes, for tests/golden/data/personal.json.

Names, addresses and telephone numbers are Faker's in eight locales; identifiers are Faker's or are completed here and
checked by python-stdnum, so none of Graft's own rules decides what counts. Every fourth text holds only look-alikes.

    .venv/bin/python tools/golden/data/personal.py [--seed 2] [--out file]
"""
import argparse
import json
import random
import string
from pathlib import Path

from faker import Faker
from stdnum import iban, luhn
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn

TEXTS = 2000
LOCALES = ["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "en_IN"]
TITLES = {
    "en_US": ["Mr.", "Mrs.", "Ms.", "Dr.", "Prof."], "en_GB": ["Mr", "Mrs", "Ms", "Dr", "Miss"],
    "en_IN": ["Mr.", "Mrs.", "Dr."], "de_DE": ["Herr", "Frau", "Herr Dr.", "Frau Prof."],
    "fr_FR": ["Monsieur", "Madame", "Mme"], "es_ES": ["Señor", "Señora", "Sr.", "Sra."],
    "it_IT": ["Signor", "Signora", "Dott."], "nl_NL": ["Dhr.", "Mevr.", "Mevrouw"],
}
CARRIERS = {
    "email": ["Please write to {} before Friday.", "My address is {}, thanks!", "contact: {}", "<{}> wrote:",
              "I never got the code at {}.", "{}"],
    "phone": ["You can reach me at {} after six.", "My number: {}.", "Phone {} or come by.", "{} is my new number",
              "Tel. {}", "call me back on {} please"],
    "card": ["My card {} was charged twice.", "Card number: {}", "I paid with {} yesterday.", "the card ({}) is lost"],
    "iban": ["Transfer it to {} please.", "IBAN: {}", "My account {} has changed.", "refund to {}, thank you"],
    "ip": ["The login came from {} last night.", "Blocked address: {}", "{} - GET /index", "my router is {}."],
    "name": ["I spoke with {} on Monday.", "Please ask {} about it.", "{} signed the contract.", "It was for {}."],
}
ID_CARRIERS = {
    "US": ["My SSN is {}.", "social security number {}", "Number on file: {}"],
    "GB": ["NI number {}", "My national insurance number is {}."],
    "DE": ["Meine Steuer-ID lautet {}.", "Steuernummer {} bitte eintragen"],
    "FR": ["Mon numéro de sécurité sociale est {}.", "NIR : {}"],
    "ES": ["Mi DNI es {}.", "con documento {}"], "IT": ["Il mio codice fiscale è {}.", "CF: {}"],
    "NL": ["Mijn BSN is {}.", "burgerservicenummer {}"], "IN": ["My Aadhaar is {}.", "Aadhaar number {} was rejected"],
}
FILLER = ["The app keeps crashing when I open it.", "Thanks for the quick help!", "Where is my parcel?",
          "I would like to change my order.", "This happened twice on 12 May 2024.", "It cost 19.99 in total.",
          "Version 3.2.1 works fine.", "Why was the payment declined?"]


def digits(rng, n, first="123456789"):
    return rng.choice(first) + "".join(rng.choice(string.digits) for _ in range(n - 1))


def retry(make, valid):
    while True:
        value = make()
        if valid(value):
            return value


def national_id(rng, fake, country):
    if country == "US":
        return fake["en_US"].ssn()
    if country == "GB":
        pair = retry(lambda: rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ"),
                     lambda p: p not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"))
        d = digits(rng, 6, string.digits)
        sep = rng.choice(["", " "])
        return sep.join([pair, d[:2], d[2:4], d[4:], rng.choice("ABCD")])
    if country == "DE":
        value = retry(lambda: digits(rng, 11), idnr.is_valid)
        return rng.choice([value, idnr.format(value)])
    if country == "FR":
        def make():
            body = f"{rng.choice('12')}{rng.randint(0, 99):02}{rng.randint(1, 12):02}{rng.randint(1, 95):02}" \
                   f"{rng.randint(1, 990):03}{rng.randint(1, 999):03}"
            return body + f"{97 - int(body) % 97:02}"
        value = retry(make, nir.is_valid)
        return rng.choice([value, " ".join([value[:1], value[1:3], value[3:5], value[5:7], value[7:10], value[10:13],
                                            value[13:]])])
    if country == "ES":
        if rng.random() < 0.5:
            body = digits(rng, 8, string.digits)
            value = body + dni.calc_check_digit(body)
            assert dni.is_valid(value)
            return rng.choice([value, f"{body}-{value[-1]}"])
        body = rng.choice("XYZ") + digits(rng, 7, string.digits)
        value = body + nie.calc_check_digit(body)
        assert nie.is_valid(value)
        return value
    if country == "IT":
        return retry(fake["it_IT"].ssn, codicefiscale.is_valid)
    if country == "NL":
        value = retry(lambda: digits(rng, 9), bsn.is_valid)
        return rng.choice([value, bsn.format(value)])
    body = digits(rng, 11, "23456789")
    value = body + aadhaar.verhoeff.calc_check_digit(body)
    assert aadhaar.is_valid(value), value
    return rng.choice([aadhaar.format(value), value])


def card(rng, fake):
    value = fake["en_US"].credit_card_number(rng.choice(["visa16", "mastercard", "amex", "discover", "diners"]))
    assert luhn.is_valid(value)
    groups = [value[:4], value[4:10], value[10:]] if len(value) == 15 else [value[i:i + 4] for i in range(0, len(value), 4)]
    return rng.choice(["", " ", "-"]).join(groups)


def account(rng, fake):
    value = fake[rng.choice(["de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "en_GB"])].iban()
    assert iban.is_valid(value, check_country=False)
    return rng.choice([value, " ".join(value[i:i + 4] for i in range(0, len(value), 4))])


def planted(rng, fake, kind):
    """(text, value) with the value once in the text."""
    locale = rng.choice(LOCALES)
    if kind == "nationalId":
        country = rng.choice(list(ID_CARRIERS))
        value = national_id(rng, fake, country)
        return rng.choice(ID_CARRIERS[country]).format(value), value
    if kind == "name":
        person = fake[locale]
        title = rng.choice(TITLES[locale])
        value = rng.choice([person.last_name(), f"{person.first_name()} {person.last_name()}"])
        return rng.choice(CARRIERS["name"]).format(f"{title} {value}"), value
    value = {
        "email": lambda: rng.choice([fake[locale].email, fake[locale].company_email, fake[locale].free_email])(),
        "phone": lambda: fake[locale].phone_number(),
        "card": lambda: card(rng, fake),
        "iban": lambda: account(rng, fake),
        "ip": lambda: rng.choice([fake[locale].ipv4_public, fake[locale].ipv4_public, fake[locale].ipv6])(),
    }[kind]()
    return rng.choice(CARRIERS[kind]).format(value), value


def lookalike(rng, fake):
    def broken(value, at=-1):
        places = [i for i, c in enumerate(value) if c.isdigit()]
        place = places[at]
        return value[:place] + str((int(value[place]) + rng.randint(1, 9)) % 10) + value[place + 1:]

    ean = digits(rng, 12)
    kinds = [
        lambda: f"Order number {digits(rng, 10)} has not arrived.",
        lambda: f"Invoice #{digits(rng, 8)} is wrong.",
        lambda: f"ISBN 978-{rng.randint(0, 9)}-{digits(rng, 3)}-{digits(rng, 5)}-{rng.randint(0, 9)}",
        lambda: f"Tracking 1Z{digits(rng, 3)}AA{digits(rng, 10)} says delivered.",
        lambda: f"Card ending in {digits(rng, 4)} was declined.",
        lambda: f"My card {broken(card(rng, fake))} was charged twice.",
        lambda: f"Transfer it to {broken(account(rng, fake))} please.",
        lambda: f"Version {rng.randint(1, 20)}.{rng.randint(0, 99)}.{rng.randint(0, 99)}.{rng.randint(0, 255)} crashes.",
        lambda: f"The address {rng.randint(256, 999)}.{rng.randint(0, 999)}.12.7 is not valid.",
        lambda: f"It was delivered on 2024-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} at "
                f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}.",
        lambda: f"On {rng.randint(1, 28):02}.{rng.randint(1, 12):02}.2023 I paid {rng.randint(100, 999)}.{rng.randint(10, 99)}.",
        lambda: f"Follow me @{fake['en_US'].user_name()} for more.",
        lambda: f"npm install package@{rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)} fails",
        lambda: f"The picture logo@{rng.choice('23')}x.png is blurred.",
        lambda: f"Part number {digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 3)} is missing.",
        lambda: f"My serial is {''.join(rng.choice(string.ascii_uppercase + string.digits) for _ in range(14))}.",
        lambda: f"EAN {ean} on the box",
        lambda: f"I drank a Dr Pepper and watched Mr Bean for {rng.randint(2, 60)} minutes.",
        lambda: "Miss you all, see you in Berlin.",
        lambda: f"The mrs of the house paid {rng.randint(1000, 99999)} dollars, sir.",
        lambda: f"Population grew from {digits(rng, 7)} to {digits(rng, 8)}.",
        lambda: f"MAC {':'.join(f'{rng.randint(0, 255):02x}' for _ in range(6))} is not on the list.",
        lambda: f"The ratio is {rng.randint(1, 9)}:{rng.randint(10, 59)}:{rng.randint(10, 59)} and {digits(rng, 12)} bytes.",
        lambda: f"between {rng.randint(1900, 1999)}-{rng.randint(2000, 2025)} we sold {rng.randint(1, 999)},{digits(rng, 3)},{digits(rng, 3)}",
        lambda: f"SSN format is 000-{rng.randint(10, 99)}-{digits(rng, 4)} in the docs",
        lambda: f"std::vector<int> at 0x{rng.getrandbits(32):08x} line {rng.randint(1, 999)}",
        lambda: f"Mi DNI es {digits(rng, 8)}{'IOU'[rng.randint(0, 2)]}.",
    ]
    return rng.choice(kinds)()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--out", default=Path(__file__).parents[3] / "tests/golden/data/personal.json")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    Faker.seed(args.seed)
    fake = {locale: Faker(locale) for locale in LOCALES}
    kinds = ["email", "phone", "card", "iban", "ip", "nationalId", "name"]
    texts = []
    for index in range(TEXTS):
        if index % 4 == 3:
            body, spans = lookalike(rng, fake), []
        else:
            kind = kinds[rng.randrange(len(kinds))]
            body, value = planted(rng, fake, kind)
            start = body.index(value)
            spans = [[kind, start, start + len(value)]]
        if rng.random() < 0.4:
            before = rng.choice(FILLER) + " "
            body, spans = before + body, [[k, a + len(before), b + len(before)] for k, a, b in spans]
        if rng.random() < 0.3 and body[-1] in ".!?":
            body += " " + rng.choice(FILLER)
        # All characters are of the first plane, so Python's places are JavaScript's.
        assert all(ord(c) < 0x10000 for c in body)
        texts.append([body, spans])
    lines = ",\n".join(json.dumps(text, ensure_ascii=False, separators=(",", ":")) for text in texts)
    Path(args.out).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
