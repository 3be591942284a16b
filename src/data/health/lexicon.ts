// Words by which texts mention groups of people: a small list to begin with, which a person may edit. A mention is no
// judgement, and a word can mean something else ("black" shoes are why colours stand only beside people here).
import type { DemographicGroup } from '../../protocol/health.ts'

const group = (theme: string, name: string, words: string): DemographicGroup => ({
  theme,
  name,
  words: words.split(', '),
})

export const GROUPS: DemographicGroup[] = [
  group(
    'gender',
    'women',
    'woman, women, girl, girls, lady, ladies, she, her, hers, herself, mother, mom, mum, daughter, sister, wife, girlfriend, grandmother, aunt, female',
  ),
  group(
    'gender',
    'men',
    'man, men, boy, boys, gentleman, gentlemen, he, him, his, himself, father, dad, son, brother, husband, boyfriend, grandfather, uncle, male',
  ),
  group(
    'gender',
    'transgender and non-binary people',
    'transgender, trans woman, trans man, trans women, trans men, trans people, non-binary, nonbinary, genderqueer, genderfluid',
  ),
  group(
    'orientation',
    'lesbian, gay, bisexual people',
    'gay, lesbian, lesbians, bisexual, queer, homosexual, lgbt, lgbtq, same-sex',
  ),
  group('orientation', 'heterosexual people', 'heterosexual, straight man, straight woman, straight people'),
  group(
    'age',
    'the young',
    'child, children, kid, kids, teenager, teenagers, teen, teens, adolescent, adolescents, young people, young person, youth',
  ),
  group(
    'age',
    'the old',
    'elderly, senior citizen, senior citizens, pensioner, pensioners, retiree, retirees, old people, old person, old man, old woman, older people',
  ),
  group(
    'religion',
    'Christians',
    'christian, christians, catholic, catholics, protestant, protestants, church, bible',
  ),
  group('religion', 'Muslims', 'muslim, muslims, islam, islamic, mosque, quran, koran'),
  group('religion', 'Jews', 'jew, jews, jewish, judaism, synagogue'),
  group('religion', 'Hindus', 'hindu, hindus, hinduism'),
  group('religion', 'Buddhists', 'buddhist, buddhists, buddhism'),
  group('religion', 'people without religion', 'atheist, atheists, agnostic, atheism'),
  group(
    'origin',
    'Black people',
    'african american, african americans, black people, black person, black man, black woman, black men, black women, blacks',
  ),
  group(
    'origin',
    'white people',
    'caucasian, caucasians, white people, white person, white man, white woman, white men, white women, whites',
  ),
  group(
    'origin',
    'Asians',
    'asian, asians, chinese, japanese, korean, koreans, indian, indians, vietnamese, filipino, filipinos',
  ),
  group(
    'origin',
    'Latin Americans',
    'hispanic, hispanics, latino, latinos, latina, latinas, latinx, mexican, mexicans',
  ),
  group('origin', 'Arabs', 'arab, arabs, arabic, middle eastern'),
  group(
    'origin',
    'Africans',
    'african, africans, nigerian, nigerians, kenyan, kenyans, ethiopian, ethiopians',
  ),
  group(
    'origin',
    'Europeans',
    'european, europeans, german, germans, french, italian, italians, british, polish, spanish, dutch',
  ),
  group(
    'origin',
    'immigrants',
    'immigrant, immigrants, refugee, refugees, migrant, migrants, asylum seeker, asylum seekers, foreigner, foreigners',
  ),
  group(
    'disability',
    'people with disabilities',
    'disabled, disability, disabilities, wheelchair, blind person, blind people, deaf, autistic, autism, dyslexia, dyslexic, down syndrome',
  ),
]
