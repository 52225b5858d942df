r"""How much a few words sound like the writer and not like the story: a sum of weights, nothing learned.

FORMS says what the outside of a candidate is worth: how it is set apart from the post. WORDS, PHRASES and SIGNS say what its words are worth: each feature counts once,
and half again if it occurs twice or more. CONTEXT compares it with the rest of the post. An aside is what reaches the threshold. The weights
were set by hand on `bench/labels/ooc.json` and `roleplay_posts.jsonl` (the half kept aside only after it had been scored), on asides and narrators made up for it and on five novels in which nothing may go, and are round on purpose: they are to be read and argued with.

Words between quotation marks and asterisks are somebody's in the story, so no feature sees them. Rejected: a trained classifier, for want of labels
(60 asides) and because nobody could say why it cut a line; a language model, for its price per page.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

THRESHOLD = 3.0

FORMS = {
    "marked": 9.0,  # says it is out of character: "OOC:", "(ooc …)", "[OT]", "Mod note:", "CW:"
    "double": 4.5,  # ((…)) on lines of its own
    "double-inside": 3.0,  # the same between two sentences
    "double-square": 1.5,  # [[…]], {{…}}, *((…))* on lines of their own: telepathy, thoughts and machines speak so too
    "double-square-inside": 1.0,
    "slashes": 1.5,  # "// …", ">> … <<" on a line of its own
    "slashes-inside": 0.5,  # behind a sentence
    "footer": 2.0,  # "Tag: …", "Word count: …", "Notes: …" on a line of its own
    "edit": 1.0,  # "Edit: …"
    "bracket": 1.0,  # (…), […], {…} on lines of their own
    "bracket-inside": -0.5,  # between two sentences
    "wrapped": 1.0,  # "~ … ~", "- … -", "<< … >>", the first or last line of a post
    "last": 0.0,  # the last lines of a post, unmarked
    "first": -0.5,
}

_DAY = r"(?:mon|tues?|wednes|thu(?:rs)?|fri|sat(?:ur)?|sun)day|tues|fri|sat|tonight|tomorrow|tmrw|(?:the|this) weekend|next week"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday tues fri tonight tomorrow tmrw tonite"

WORDS: tuple[tuple[str, float, str], ...] = (
    ("ooc", 3.0, "ooc"),
    ("thread", 1.5, ("thread threads thread's post posts posting replies signup signups npc npcs plotting canon headcanon rp rping roleplay roleplaying forum "
     "forums mod mods topic upvote comment gm dm dms pm discord timeline retcon godmod godmodding powerplay metagaming cliffhanger starter app "
     "faceclaim faceclaims headcanons godmode diceless cameo plotline backstory oneshot au collab subforum pinned lurker lurking lurk prompt")),
    ("when", 0.5, _DAYS),
    ("net", 2.0, "lol lool loool lolol lmao lmaoo lmaooo lmfao rofl omg omfg brb afk bbl bbiab btw tbh fyi idk imo imho iirc pls plz thx xd gtg g2g ttyl haha hahaha hahahaha hehe heh tldr irl wip nvm ngl ikr smh lmk mia nbd jk rn ily ty tysm np omw wb woot fml welp hai xoxo"),
    ("talk", 1.0, "gonna wanna gotta kinda sorta dunno gimme lemme cuz coz bc tho ur u ppl pic pics yep yup yay nope woo woohoo yikes aww awww eek oof alrighty heya hiya pleeease pleaseee sooo soooo asap etc"),
    ("rules", 1.0, "dice initiative"),
    ("bare", 0.5, "thats didnt dont cant wont im ive youre"),
    ("past", -1.0, "was were had fell walked turned looked felt knew stood sat came went took watched waited burned met swore"),
    ("told", -1.5, "said says asked asks replied whispered thought thinks answered murmured shouted muttered"),
    ("they", -1.0, "he she his her him"),
    ("sorry", 0.5, "sorry apologies"),
    ("self", 0.5, "i i'm i've i'll i'd im ive my me"),
    ("bye", 1.5, "bye zzz zzzz gnight goodnight g'night"),
    ("all", 1.5, "guys folks y'all yall everyone everybody"),
    ("dice", 2.5, "d20 1d20 2d6 1d6 d6 d100 modifier modifiers nat20 rerolled reroll rerolling dicebot autohit autohits"),
)  # fmt: skip
"""Name, weight, words each of which is the feature."""

PHRASES: tuple[tuple[str, float, str, str], ...] = (
    ("ooc", 3.0, "character", r"\b(?:out of|not in) character\b"),
    ("short", 2.5, "sorry apology apologies apologise apologize forgive slow short bit",
     (r"\b(?:sorry|apolog(?:y|ies|i[sz]e)|forgive)\b[^.!?\n]{0,40}\b(?:short|brief|late|delay|wait|long|length|slow|rambl\w*|quality|english|typos?|spelling|double[- ]post\w*|repl(?:y|ies)|absence|silence|rushed|crappy?|spot)\b"
     r"|\bslow (?:repl|post|to)\w*|\bshort (?:one|post|reply)\b|\bbit (?:short|rushed)\b")),
    ("thread", 1.5, "sign sheet scene", r"\b(?:(?:this|next|end|our|opening) scene)\b|\bsign-ups?\b|\bcharacter sheet\b"),
    ("play", 2.0, ("dibs assume assumed playing npc npcs npcing wrote written writing rewrote rewritten wrap late short mine join play jump get too next know free mind edit change fix adjust ok okay fine alright right grabs posts post cue turn kill npc replot plot proofread "
     "proofreading goosebumps dead board rp day week tag tagging skip timeskip black block muse wait english translate count new gentle long forever open write anyone character characters char pc who's whos pressure length round excited quick back over warms warm easy point pov google hope something excuse finish remind guy love loving caught catch got"),
     (r"\b(?:dibs|can (?:i|we|anyone|anybody|somebody) (?:still )?(?:join|play|jump|get)|too late to|get in on this|(?:my|your|their|his|her) (?:char(?:acter)?s?|muse|pc|turn to post)|next (?:post|turn)"
     r"|i(?:'m| am| have)? (?:assum(?:ed|ing)|play(?:ing)?|npc\w*|wrote (?:this|it|these|too)\b|writ(?:e|ing|ten)|rewrot\w*|rewritten)|i've (?:written|rewritten|assumed)|let me know|feel free|correct me|does any(?:one|body) mind"
     r"|(?:happy|glad) to (?:edit|change|fix|adjust)|ok(?:ay)? (?:with|if)|hope (?:it's|this is|that's|thats|its) (?:ok(?:ay)?|alright|all right|fine)|up for grabs|your (?:posts?|cue|turn)|kill (?:him|her|them|off) off"
     r"|skip me|to write|write (?:more|a|it)|re-?plot|proofread\w*|goosebumps|(?:dead|last|old) (?:game|board|rp)|posts? (?:a|per) (?:day|week)|jump in|tag(?:ging)? (?:me|you)|time ?skip|fade to black"
     r"|wrap (?:this|it) up|writer'?s? block|my muse|muse is|who'?s next|next up|no pressure|match (?:your |the )?length|next round|(?:back|over) to you\b|so excited|quick one|warms? up later|go easy on|point of view|pov|had to google|hope (?:this|that) works|get something up|excuse the|finish (?:this|it|later|in the)|(?:can|could|some(?:one|body)|any(?:one|body)|please|pls) remind me|my guy|i(?:'m)? (?:so )?(?:lov(?:e|ing)) (?:how|this|that|the way)|catch up on|caught up|got (?:so |too |really |very )?(?:long|short)|can'?t wait (?:to see|for)|english isn'?t|google translate|word count|new here|be gentle|took (?:me )?(?:so|too) long|took (?:me )?forever|open to any(?:one|body))\b")),
    ("table", 2.0, ("wanted post posts reply replies answer thread scene sheet order plot claim turn ok okay alright cool works suits good wild else nobody anybody whoever question questions tooth wants minds "
     "bring introduce assume assuming player players idea ideas moving forward ahead wait waiting hold slot spot room closed open voted vote votes list knee glad feel better soon whole fun funny funnier funnily spooky typo typos redo retry lazy shorter longer rush rushed crap filler rusty brain tired"),
     (r"\b(?:(?:my|your) (?:(?:last|next|whole|first|own|short|late) )?(?:posts?|starter|sheet|app)\b(?! (?:office|of|at|as|in)\b)|(?:post|send|finish|need|make|fill out) (?:a|the|your|my) sheet|(?:whole|entire) post|(?:will|i'll|can|to|gonna) (?:reply|post|answer) (?:to (?:this|you|that|it)|tomorrow|tonight|later|soon|when|once|properly|first|now|asap)|post(?:ing)? order|order (?:is|of posting)|plot (?:point|hook|twist|idea|hole)s?|face ?claim"
     r"|is (?:this|that|it) (?:ok(?:ay)?|alright|all right|cool|fine)\W*(?:\?|$|with|if|for|by)|(?:works|suits|fine|good|okay?|cool) (?:for|by|with) (?:me|us|everyone|you|everybody)\b|suits me|sounds (?:good|great|fun|perfect|awesome|cool)|(?:never|not) too late|go wild|if (?:no ?one|nobody|any(?:one|body)|some(?:one|body)) (?:else )?(?:wants?|wanted|minds?|needs|is (?:up|interested))"
     r"|(?:this|that|it)(?:'s| is) (?:for|open to|up to) (?:who(?:ever)?|any(?:one|body)|you (?:all|guys))|who (?:wants?|is up|else)\b|questions? (?:to|for) \w+|i can (?:bring|introduce|add|play|write|move|drop|throw|send|use|have)|(?:move|moving|skip|skipping) (?:this|us|it|things|ahead|forward|along)|(?:waiting|wait) (?:on|for) (?:\w+ to (?:post|reply|answer)|a reply|replies)"
     r"|hold(?:ing)? (?:a|my|your) (?:spot|slot)|room for (?:one|two|a few|another)|(?:not|still|is this|thread'?s?|now) (?:closed|open)\b|(?:i )?voted|keeping the list|glad (?:you|your|the|it|that|this|to hear)|feel better|get well|(?:more|so|too|such) fun(?:ny)?\b|funnier|brain (?:is|isn'?t|has|not)|so tired|ignore (?:the|my|any) (?:typos?|mistakes|errors)|typos?|bad (?:post|writing)|(?:a bit|bit|so|feeling|little) (?:lazy|rusty|rushed)|filler|crap post|another player|other players?|all players|players\b(?= (?:please|can|should|only)))")),
    ("turns", 2.0, ("cutting ending end leave take moving push wrote writing rping playing player assuming fun others jump join react respond handle next something enough rush replying respond muse thread sense ok okay alright request drop assuming interested bump bumping bumped sign count turn turns still vote votes locking locked pm post "
     "mia garbage trash mistakes formatting grammar mess confusing forgive excuse pardon sweet accepted approved welcome sheet dodge autohit reread rereading behind catching inspired inspiration motivation hooked obsessed invested dying crying screaming loving"),
     (r"\b(?:(?:others|you|people|someone|everyone) (?:can|could|to) (?:react|reply|post|jump in|respond|catch up)|(?:want|wants|wanna|like) to (?:jump in|join (?:in|us|this)|take (?:the|this|it) (?:next|from|over)|go (?:first|next)|react|respond)|(?:handle|decide|write|see) what happens(?: next)?|gives? (?:you|him|her|them|everyone) (?:something|enough|anything)|(?:something|enough|anything|lots?) to (?:work with|reply to|respond to|go on)"
     r"|too much fun|no rush|take your time|what to (?:write|post|do (?:next|here|with (?:this|him|her|them)))|where to (?:go with|take) (?:this|it|from here)|(?:lost|no|my|have|low|zero) muse|this (?:thread|rp|game|board|forum|site)\b|first (?:post|thread|rp|time (?:writing|posting|rping|playing (?:a|an|here|this|in)\b))|not my best|be nice|your (?:go|move)\b(?=[.!?:)\]]|$)|(?:the )?next bit|(?:stop|leave it|end it|ending it|cut it|cutting) here|(?:hope|if) (?:this|that|it|any of this) makes sense|(?:if|hope) (?:that|this|thats|it)(?:'s| is)? (?:ok(?:ay)?|alright|all right|cool)"
     r"|plot drop|^\W*assuming|still interested|(?:^|[.!?] ?)bump(?:ing|ed)?\b|sign me up|count me in|whose turn|turn order|are we (?:still|doing)|(?:dropping|drop) out|(?:i|my) votes? (?:is |we |for )|locking this|pm me|i'll (?:edit|get (?:a|my|something)|have (?:a|my) (?:post|reply)|try to (?:post|reply|get))|one more player|been mia|^\W*(?:sorry|apologies)\b[^.!?\n]{0,40}\b(?:mia|garbage|trash|bad|awful|lame|forgot|missed|mess|messy|confusing|all over)"
     r"|(?:excuse|forgive|pardon|ignore) (?:the |my |any |all )*(?:mistakes?|typos?|errors?|formatting|grammar|spelling|mess|rambling|wait)|short and sweet|(?:you're|your character is|char is) (?:accepted|approved)|^\W*(?:accepted|approved)!|(?:move|moving|push) us along|(?:free to|can|have \w+) (?:dodge|autohit)|re-?read(?:ing)? (?:this|the thread|everything)|(?:so|too|a bit|little|way) behind|(?:catching|playing catch)[- ]up|(?:no|zero|out of|low on) (?:inspiration|motivation)|(?:so|am|i'm) (?:hooked|obsessed|invested)|i(?:'m| am) (?:dying|crying|screaming) (?:at|over|lol))")),
    ("desk", 2.0, ("favorite favourite fave fav scene part player players questions question map using missed love loved enjoy enjoying enjoyed writing cut trim trimmed words 1k 2k 3k edit fix tell work works slow slower around available online free following bear bare patience waiting reading slots "
     "collab rewrite redo scrap delete deleted mistake misread misunderstood confused clarify clarification context fyi spoiler spoilers summary recap tldr link linked playlist song soundtrack moodboard art drew commission inspired reference refs wiki rules rule lore info"),
     (r"\b(?:(?:my |a |new )?(?:favou?rite|fave?) (?:scene|part|thread|post|line|character|chapter|npc)s?|(?:scene|thread|post|chapter) so far|(?:new|another|returning) (?:player|member|writer)s?|(?:player|writer) here|(?:any|has|have|with) questions? (?:about|on|for|re)\b|(?:other|ooc|discussion|sign-?up|plotting|chat) (?:thread|channel|chat)|using (?:the|your|my|\w+'s) (?:map|rules|sheet|notes?|idea)|(?:missed|love|loved|enjoy(?:ed|ing)?|hate|like|fun|miss) writing|writing (?:him|her|them|this|these two|with you)"
     r"|(?:cut|trim(?:med)?|split) (?:this|it) (?:down|up|in two)|\d+k? words\b|(?:will|i'll|gonna|to|can) (?:edit|fix|clean|add to|polish|proof|rewrite|redo|delete) (?:this|it|that|in|later|tomorrow|when|if|my|the typos)|tell me if|(?:does|do|would|will|did) (?:this|that) (?:work|suit|sound|fit|make sense)\b|(?:might|may|will|i'll|gonna|going to) be (?:slow(?:er)?|late|scarce|quiet|offline|around)|i'm around|(?:around|available|online|free) (?:all|later|tonight|tomorrow|this|most|until|till|for)\b|keep (?:going|this going|it going) (?:if|with|or)|bear with me"
     r"|(?:for|your|everyone's) (?:waiting|patience|reading)\b|hope (?:you|everyone|y'all) (?:all )?(?:don'?t mind|enjoy|like|are|had|have)|(?:i )?(?:misread|misunderstood) (?:your|the|that|his|her)|(?:for|some|quick) (?:context|clarity|clarification|reference)\b|spoilers?\b|(?:listening|listened) to .{3,30} (?:while|when) (?:i )?(?:wrote|writing)|moodboard|playlist|(?:i|she|he|they) drew (?:this|him|her)|(?:the|our|site|game) (?:wiki|lore doc)|(?:rules|lore) say|house rules?|pls? (?:read|check|see) the)\b")),
    ("cowriter", 2.0, "you your up thread scene posting weds wed thurs ping housekeeping q without planned word chat load server site reply spotting catching",
     (r"\b(?:up to you(?=\W*$)|you (?:could|can) have \w+ (?=[^.!?\n]*\bif you (?:like|want|prefer))|(?:a|the|own|new) threads?\b|(?:close|end|wrap|finish|start|do|play) (?:this|the|that|our|a) (?:\w+ )?scene|posting (?:tonight|tomorrow|later|soon|now|my|the rest)"
     r"|free (?:on )?(?:mon|tues?|weds?|thurs?|fri|sat|sun)\b(?!day)|ping (?:me|\w+)(?=[^.!?\n]*(?:[.!?)]|$))|housekeeping|quick q(?:uestion)?\b|(?:go|carry|keep) (?:on|going) without me|(?:than|what) (?:what |anything )?i(?:'d| had) planned|(?:don't|do not) (?:touch|change) a word|(?:to|been) write with|write with (?:you|all)"
     r"|(?:the|this) site (?:ate|logged|crashed|keeps|is down)|thanks for (?:spotting|catching) (?:it|that))\b")),
    ("dice", 2.5, "damage hit perception stealth insight athletics acrobatics persuasion deception investigation intimidation sleight arcana survival strength dexterity constitution wisdom charisma agility luck str dex wis dis disadvantage advantage fail failed success total points throw throws check edition dc nat natural roll rolled crit crits hp d4 d8 d10 d12 3d6 4d6 2d8 2d10 1d4 1d8 1d10 1d12 1d100 2d20",
     r"\b(?:\d{0,2}d(?:4|6|8|10|12|20|100)\b|dc ?\d+|nat(?:ural)? ?(?:20|1)\b|(?:need|have|forgot) to roll|rolled (?:an? )?\d+|roll for|points? of \w+ damage|hit points|saving throws?|(?:make|roll|give me) (?:an?|another) (?:\w+ ){1,3}check|(?:an?|more of an?) \w+ check\b|(?:first|second|third|fourth|fifth|new) edition|crits?\b|\d+ ?hp|roll(?:ed|ing)? (?:with|at) (?:dis)?advantage|(?:an? )?\d+ to hit|(?:perception|stealth|insight|athletics|acrobatics|persuasion|deception|investigation|intimidation|sleight of hand|arcana|survival|strength|dexterity|constitution|wisdom|charisma|agility|luck|str|dex|wis)(?: (?:check|save|roll))?\W{1,3}[+-]?\d+|(?:roll(?:ed)?|total|dice)\W{1,3}\d+|\d+ (?:fail|success)(?:ed|es)?)\b"),
    ("life", 1.5, ("life hectic airport paper project report due work uni college class dentist gym boss mum mom gran kid kids baby laptop phone wifi internet computer power flatmate roommate exam exams final finals midterm midterms shift shifts cat dog english degree "
     "posted dropping autocorrect keyboard deadline deadlines homework assignment assignments house flat shifts real holiday vacation mobile migraine flu covid school lecture lectures rehearsal thesis essay dissertation car train router wi pc charger battery husband wife hubby bf gf girlfriend boyfriend roomie meds back knee tooth cold fever headache rough typing bus up sick ill busy swamped awake asleep"),
     (r"\b(?:(?:at|from|to|after|off|with|before) (?:work|uni|college|class|the dentist|the gym)|work is|posted from|keeps dropping|my (?:boss|mum|mom|gran|kids?|baby|laptop|phone|wifi|internet|computer|power|flatmate|roommate|exams?|finals|shifts?|cat|dog"
     r"|english|degree|autocorrect|keyboard)|exams?|finals|midterms?|deadlines?|homework|assignments?|life (?:got|is|has been|happened|hit)|hectic|swamped|airport|(?:essay|paper|project|report) (?:is )?due|moving (?:house|this|flat)|no (?:internet|wifi)|double shifts?|real life|on (?:holiday|vacation|mobile)|degree in|migraine"
     r"|(?:my|the) (?:car|train|dentist|wi-?fi|router|pc|charger|battery|husband|wife|hubby|bf|gf|girlfriend|boyfriend|roomie|thesis|essay|sleep schedule|meds|back|knee|tooth)\b(?= (?:is|has|died|keeps|broke|hurts|went|got|needs))|(?:at|got|from|after|in) (?:school|lectures?|rehearsal)|thesis|dissertation|(?:had|have|got) a (?:cold|fever|headache|migraine|rough (?:day|week)|long (?:day|week))|rough (?:day|week)|phone (?:died|is dying)|typing (?:this )?(?:on|from)|the flu|covid|autocorrect|walking the dog|been (?:sick|ill|busy|swamped|awake)|power (?:went|is) out|fell asleep|the bus|up early|up at \d+)\b")),
    ("away", 1.5, "heading out town need back away off gone busy till til until by from before on over since more home bed night utc gmt hiatus gtg dinner asleep going quiet gotta have must see vanish vanished vanishing sleep leave",
     r"\b(?:back (?:on|in|at|by|from|to)? ?(?:mon|tues|wednes|thurs|fri|satur|sun|tomorrow|tonight|later|soon|a (?:bit|min)|the weekend)\w*|be back|got back from|back in \d+|vanish(?:ed|ing)?|i vanish|sleep (?:time|now)|leave it there|gone for|i(?:'m|m| am)? ?(?:away|off|gone|busy) (?:till?|until|from|for|on|this|next|all|\d\S*)"
     r"|(?:till?|until|by|from|before|on|over|since) (?:the )?(?:\d+(?:st|nd|rd|th)(?! (?:of|century|day|time|street|floor|hour))|" + _DAY + r"|christmas)|heading (?:out|off|to bed)|out of town|(?:need|going) to sleep|(?:when|once|after) i(?:'m| am| get| come)? (?:back|home|off|done|free)|(?:more|rest) (?:is )?(?:coming|to come)|more (?:tomorrow|later|soon)|get home|before bed|going quiet|gone quiet|bed (?:now|time)|(?:off to|going to) bed|(?:gotta|have to|must) (?:run|dash)"
     r"|see (?:you|ya) (?:all|tomorrow|then)|good ?night all|night,? (?:all|everyone|folks)|(?:utc|gmt) ?[+-] ?\d+|hiatus|gtg|dinner|asleep)\b"),
    ("thanks", 1.0, "thank thanks welcome congrats great love loved adore chills best happy", r"\b(?:thank(?:s| you)|welcome (?:aboard|back)|congrats|great (?:post|scene|thread)|loved? (?:this|your|that|him|her|it)|i adore|gave me chills|best thread|happy (?:new year|birthday|christmas|holidays))\b"),
    ("note", 1.0, "note sure idea sorry apologies heads hi hey also whoops ps p anyway anyways oops whoops ok okay kind ignore purpose not", r"\b(?:quick note|heads? up|just a note|not sure (?:if|whether|how)|no idea (?:if|whether|how|what)|note to|ps|p\.s|anyways?|oops|whoops|ok(?:ay)? (?:so|ok|going|that|here)|be kind|ignore the|on purpose|^\W*(?:so )?(?:sorry|apologies) (?:if|for|that|about)|(?:hi|hey) (?:all|guys|everyone|folks)|(?<![^\n(\[])(?:hi|hey|also),? |not me (?:writing|crying))\b"),
    ("typos", 2.0, "edit edited", r"^\W*edit\w*\b[^\n]{0,60}\b(?:typos?|spelling|grammar|format\w*|forgot|wrong|missed|fixed|names?|clarity|link)\b"),
    ("card", 5.0, "him her them commissions plots currently owes avatar banner icon icons signature sig graphic graphics layout profile replies", r"\b(?:(?:avatar|banner|icons?|sig(?:nature)?|graphics?|layout) (?:by|from|credit|made)\b|links? (?:is |are )?in (?:my|the) (?:profile|bio|sig)|replies: ?\w|he/him|she/her|they/them|commissions (?:open|closed)|open plots|currently:|owes:)"),
    ("radio", -3.0, "over copy tower mayday servant obedient yours", r"\b(?:over and out|over\.|copy\.|tower|mayday)(?:\s|$)|\b(?:your (?:servant|obedient)|yours (?:truly|faithfully))"),
)  # fmt: skip
"""Name, weight, words without any of which it is not looked for, and how they must stand, in small letters."""

SIGNS: tuple[tuple[str, float, str, str], ...] = (
    ("face", 1.5, ":;=8xX<^_T>o\u00af\U0001f642", r"(?<![\w:])(?:[:;=8xX][-'^o]?[)(DPp3O/|](?![\w/])|<3|\^_*\^|;_+;|T_T|>[._]<|o[._]O|¯\\_)|[\U0001F600-\U0001F64F\U0001F923-\U0001F97A]"),
    ("dice", 2.5, "+", r"\d ?\+ ?\d+ ?(?:=|,|\.|\)|$)"),
    ("shout", 1.0, "!?", r"[!?]{2,}"),
    ("all", 1.5, "@", r"(?<![\w.])@\w{2,}"),
    ("card", 5.0, "|⋆•~✦", r"[|⋆•~✦][^\n|⋆•~✦]{2,40}[|⋆•✦][^\n|⋆•✦]{2,40}[|⋆•✦]"),
    ("card", 5.0, "\x00", r"(?:\x00 ?(?://|[|·•~]) ?){2}"),
    ("radio", -3.0, "<", r"^\s*<\w+>"),
    ("spoken", -2.0, "\x00", r"\x00"),
)  # fmt: skip
"""Name, weight, characters without any of which it is not looked for, pattern. "spoken" is what was between quotation marks or asterisks."""

CONTEXT = {
    "person": 1.5,  # says "I", "my" or "you", where the rest never does outside speech
    "small": 1.0,  # begins without a capital, or does not end a sentence, in a post that does both
    "i": 1.5,  # "i", in a post that never writes it so
    "story": 0.5,  # the rest has speech between quotation marks, actions between asterisks, or a he or she
    "no story": -4.0,  # it has none of these: an ordinary forum, where the writer is the voice
    "same voice": -2.0,  # the rest itself sounds like the writer
    "document": -3.0,  # the post is a letter, log, diary, tape, sheet or chat
    "story thread": 2.5,  # a whole post, where most others of the thread are of a story
    "plain thread": -8.0,  # a whole post, where few are
    "brief": 1.0,  # and it has at most BRIEF words
    "transcript": 3.5,  # a turn of speech as a whole, with `spoken`
    "alone": -3.0,  # nothing else is in the post: there is nothing to compare it with
}

REACH = sum(CONTEXT[name] for name in ("person", "small", "i"))
"""The most that context can add, but for a story."""
WEAK = frozenset({"self", "when", "sorry"})
"""Features that any narrator may have: of the others, an unmarked paragraph needs OWN, or OWN_BRIEF where it has no more than BRIEF words."""
OWN, OWN_BRIEF, BRIEF = 2.0, 1.0, 30
MOST = REACH + CONTEXT["story"]

_WORDS = {word: (name, weight) for name, weight, words in WORDS for word in words.split()}
_PHRASES = [
    (name, weight, frozenset(words.split()), re.compile(pattern)) for name, weight, words, pattern in PHRASES
]
_SIGNS = [
    (name, weight, re.compile(f"[{re.escape(marks)}]"), re.compile(pattern))
    for name, weight, marks, pattern in SIGNS
]
_TOKEN = re.compile(r"[\w']+")
_VOICED = re.compile(r"\"[^\"\n]{0,2000}\"|“[^”\n]{0,2000}”|«[^»\n]{0,2000}»|(?<!\*)\*[^*\n]{1,2000}\*(?!\*)")
_DOCUMENT = re.compile(
    r"^\W*(?:(?:\w+ ){0,2}(?:log|diary|journal|notebook|addendum|tape|statement|transcript|section|memo|telegram)\b(?-i:[ A-Z0-9,.:—-])|day \d+|dear(?:est)?\s|my dear\b|"
    r"to (?:the|whom|my)\b[^\n]*\n|from the (?:note|log|diar|journal|files)\w*)|^<\w+>|^\[\d\d?:\d\d|^\w+,$|^\[(?!ooc|ot\b)[^\]\n]{1,24}\][^\n]+\n\[(?!ooc|ot\b)[^\]\n]{1,24}\]",
    re.IGNORECASE | re.MULTILINE,
)
_CHAT = re.compile(
    r"^\[(?!ooc|ot\b)[^\]\n]{1,24}\][^\n]+\n\[(?!ooc|ot\b)[^\]\n]{1,24}\]", re.IGNORECASE | re.MULTILINE
)
"""Names in brackets before what each says: a chat of the story."""
_I = re.compile(r"(?<![\w'’.*])i(?![\w*.-])")
_PERSON = re.compile(r"\b(?:I|i|my|My|me|you|You|your|Your|we|We|our|us)\b(?!['’]?\s*(?:/|-))")
_OWN = ("thread", "net", "thanks", "play", "short", "all", "face", "life")
_STORY = re.compile(
    r"[.,!?…—-][\"”]|[\"“][A-Z][^\"”\n]{8,}|(?<![\w*])\*\w[^*\n]* [^*\n]*\*(?!\*)|\b(?:he|she|his|her|him|hers|herself|himself)\b",
    re.IGNORECASE,
)
BESIDE = 1500
"""Characters of the rest of a post that are looked at, on each side."""
PER_TRACE = 500
LONG = 60
"""Words from which on chance begins to find features."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sum and what it is of."""

    total: float
    parts: dict[str, float]


@lru_cache(maxsize=64)
def words_score(content: str) -> Scored:
    """What the words are worth, without their form and their context."""
    plain = _VOICED.sub("\x00", content) if any(mark in content for mark in '"“«*') else content
    low = plain.lower().replace("’", "'")
    tokens = _TOKEN.findall(low)
    counts: Counter[str] = Counter()
    weights: dict[str, float] = {}
    for word in tokens:
        if word in _WORDS:
            name, weights[_WORDS[word][0]] = _WORDS[word]
            counts[name] += 1
    known = frozenset(tokens)
    for name, weight, words, pattern in _PHRASES:
        if not words.isdisjoint(known):
            counts[name] += len(pattern.findall(low))
            weights[name] = weight
    for name, weight, marks, pattern in _SIGNS:
        if marks.search(plain):
            counts[name] += len(pattern.findall(plain))
            weights[name] = weight
    parts = {name: weights[name] * (1.5 if n > 1 else 1) for name, n in counts.items() if n}
    if len(tokens) > LONG:
        parts["long"] = -(len(tokens) - LONG) / 40
    return Scored(sum(parts.values()), parts)


def context_score(content: str, rest: str, enough: float = -math.inf) -> Scored:
    """What it is worth to stand beside `rest`, the post without it; what it cannot reach `enough` by is not looked for."""
    parts: dict[str, float] = {}
    if not rest.strip():
        if _DOCUMENT.search(content):
            parts["document"] = (
                2 * CONTEXT["document"]
            )  # a letter says "sorry", "tomorrow" and "dinner" of itself
        parts["alone"] = CONTEXT["alone"]
        return Scored(sum(parts.values()), parts)
    kind = "story" if is_story(rest) else "no story"
    parts[kind] = CONTEXT[kind]
    if parts[kind] + REACH < enough:
        return Scored(parts[kind], parts)
    if _I.search(content) and not _I.search(rest):
        parts["i"] = CONTEXT["i"]
    if _PERSON.search(_VOICED.sub(" ", content)) and not _PERSON.search(_VOICED.sub(" ", rest)):
        parts["person"] = CONTEXT["person"]
    inner = content.strip(" \t\n()[]{}*_~/<>")
    last = rest.rstrip()[-1:]
    if (
        rest.lstrip(' \t\n"“*')[:1].isupper()
        and last in '.!?…"”*'
        and (inner[:1].islower() or inner[-1:].isalpha())
    ):
        parts["small"] = CONTEXT["small"]
    if sum(parts.values()) < enough:
        return Scored(sum(parts.values()), parts)
    if _DOCUMENT.search(rest) or _CHAT.search(content):
        parts["document"] = CONTEXT["document"]
    own = words_score(rest[:BESIDE]).parts
    if sum(own.get(name, 0) for name in _OWN) > 2.0:
        parts["same voice"] = CONTEXT["same voice"]
    return Scored(sum(parts.values()), parts)


def brief_score(content: str) -> float:
    """What it is worth for a whole post to be short, and to begin small."""
    small = CONTEXT["small"] if content.lstrip()[:1].islower() else 0.0
    return small + (CONTEXT["brief"] if len(content.split()) <= BRIEF else 0.0)


def own_words(content: str) -> bool:
    """Whether a paragraph that nothing sets apart says enough that a narrator would not."""
    said = words_score(content).parts
    own = sum(weight for name, weight in said.items() if weight > 0 and name not in WEAK)
    return own >= (OWN_BRIEF if len(content.split()) <= BRIEF else OWN)


def is_story(text: str) -> bool:
    """Whether somebody speaks or acts in it, or is a he or a she: once, and once more for every PER_TRACE characters."""
    needed = 1 + len(text) // PER_TRACE
    return sum(1 for _ in islice(_STORY.finditer(text), needed)) == needed


def thread_context(posts: Sequence[str]) -> list[float]:
    """For each post of a thread, what the others add to it being an aside as a whole: nothing where they are fewer than three."""
    stories = [is_story(post[: 2 * BESIDE]) for post in posts]
    others, told = len(posts) - 1, sum(stories)
    shares = [(told - own) / others if others >= 3 else None for own in stories]
    return [
        0.0
        if share is None or 0.3 <= share < 0.5
        else CONTEXT["story thread" if share >= 0.5 else "plain thread"]
        for share in shares
    ]
