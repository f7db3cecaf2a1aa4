const ENGLISH = {
    title: 'Rocket.Chat',
    button: 'Rocket.Chat: the chat of this meeting',
    notSetUp: 'The Rocket.Chat plugin is not set up. Its administrator finds the reason in the browser\u2019s console.',
    cannotOpen: 'The chat cannot be opened here.',
    blocked: 'The chat is blocked: frame-src of the web app\u2019s Content-Security-Policy does not name Rocket.Chat.',
};

const GERMAN: typeof ENGLISH = {
    title: 'Rocket.Chat',
    button: 'Rocket.Chat: der Chat dieser Besprechung',
    notSetUp: 'Das Rocket.Chat-Plugin ist nicht eingerichtet. Der Grund steht in der Konsole des Browsers.',
    cannotOpen: 'Der Chat l\u00e4sst sich hier nicht \u00f6ffnen.',
    blocked: 'Der Chat ist gesperrt: frame-src in der Content-Security-Policy der Web-App nennt Rocket.Chat nicht.',
};

/* In the first language of the browser that there are texts for. */
export function textsFor(languages: readonly string[]): typeof ENGLISH {
    const known = languages.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => tag === 'de' || tag === 'en');
    return known === 'de' ? GERMAN : ENGLISH;
}

export const texts = textsFor(navigator.languages);
