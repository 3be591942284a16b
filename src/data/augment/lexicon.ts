// A small English lexicon of words that may stand for each other in everyday requests, reviews and questions. Written for
// Graft; each line is one set, and any word of it may replace any other. Words with several common senses are left out, for
// a copy must keep its label.
const SETS = `
answer reply response
ask inquire
assist help aid
begin start commence
big large huge
broken damaged faulty defective
bug defect glitch
build construct
buy purchase
car vehicle automobile
cheap inexpensive affordable
choose select pick
client customer
close shut
clever smart intelligent
cold chilly
complete finish
correct right accurate
create make
daily everyday
delete remove erase
difficult hard tricky
disappointed dissatisfied
discover find
discuss talk
dreadful terrible awful horrible
easy simple effortless
email mail
empty vacant
enjoy like love
enormous giant gigantic
error mistake
exam test
excellent superb outstanding
expensive costly pricey
explain clarify
fast quick rapid
fix repair mend
forgot forgotten
friendly kind
funny amusing humorous
gift present
glad happy pleased
great wonderful fantastic
guide manual
hate dislike
home house
hurry rush
idea thought
immediately instantly
important significant crucial
incorrect wrong inaccurate
inform notify tell
information details
issue problem trouble
job work
journey trip
kid child
lately recently
little small tiny
loud noisy
mad angry furious
maybe perhaps possibly
mobile cellphone
need require
nice pleasant
obtain get
often frequently
old aged
option choice
parcel package
permit allow
phone telephone
photo picture image
pretty beautiful lovely
price cost
probably likely
quickly rapidly swiftly
quiet silent
rarely seldom
reach contact
refund reimbursement
reject decline refuse
reset restart
rich wealthy
sad unhappy
safe secure
say state
scared afraid frightened
see notice
send transmit
several multiple
shop store
show display
sick ill unwell
slow sluggish
sometimes occasionally
sorry apologetic
speak talk
staff employees
strange odd weird
street road
stupid foolish silly
suggest recommend propose
sure certain
task chore
thanks cheers
tired exhausted weary
totally completely entirely
try attempt
unclear vague
understand comprehend
upset distressed
urgent pressing
use utilise
useful helpful handy
usually normally generally
very really extremely
wait hold
wallet purse
want wish desire
website site
whole entire
worried anxious concerned
yearly annually
`

/** A word (lower case) to the words that may replace it. */
export const SYNONYMS: ReadonlyMap<string, readonly string[]> = readSets(SETS)

function readSets(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of text.trim().split('\n')) {
    const words = line.split(' ')
    for (const word of words) {
      const known = found.get(word) ?? []
      known.push(...words.filter((other) => other !== word && !known.includes(other)))
      found.set(word, known)
    }
  }
  return found
}
